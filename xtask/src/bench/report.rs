//! The results of a benchmark as text and as JSON.

use std::fmt::Write;
use std::time::Duration;

use comfy_table::Table;
use comfy_table::presets::UTF8_FULL_CONDENSED;
use serde_json::{Value, json};
use testkit::bench::{Footprint, Level, Measured, Memory, PgbenchBaseline, Results};

/// The results as tables.
pub(super) fn tables(results: &Results) -> String {
    let mut text = measured(&results.measured).to_string();
    if !results.footprints.is_empty() {
        // Writing to a String cannot fail.
        let _ = write!(text, "\n{}", footprints(&results.footprints));
    }
    if let Some(baseline) = &results.baseline {
        let PgbenchBaseline { clients, per_second, cpu, .. } = baseline;
        let share = share(results, baseline).map(|share| format!("; told/s above is {:.0} % of it", share * 100.0));
        let _ = write!(
            text,
            "\npgbench with the statements of a submission, {clients} clients: {per_second:.0}/s, {cpu:.2} ms of CPU each{}",
            share.unwrap_or_default(),
        );
    }
    text
}

fn measured(rows: &[Measured]) -> Table {
    let mut table = Table::new();
    table.load_preset(UTF8_FULL_CONDENSED);
    table.set_header([
        "",
        "clients or rate",
        "stored/s",
        "told/s",
        "p50 ms",
        "p99 ms",
        "p99.9 ms",
        "told p50 ms",
        "told p99 ms",
        "CPU ms each",
        "Postgres ms each",
        "switches each",
        "allocations each",
        "spans each",
        "refused",
        "MiB after",
    ]);
    for row in rows {
        let millis = |micros: u64| format!("{:.1}", Duration::from_micros(micros).as_secs_f64() * 1e3);
        table.add_row([
            row.variant.clone(),
            level(row.level),
            format!("{:.0}", row.answered_per_second()),
            format!("{:.0}", row.sustained_per_second()),
            millis(row.latency.value_at_quantile(0.5)),
            millis(row.latency.value_at_quantile(0.99)),
            millis(row.latency.value_at_quantile(0.999)),
            millis(row.told.value_at_quantile(0.5)),
            millis(row.told.value_at_quantile(0.99)),
            format!("{:.2}", row.cpu_of_services()),
            format!("{:.2}", row.cpu_of("postgres")),
            format!("{:.0}", row.switches_of_services()),
            row.allocations_each().map(|allocations| format!("{allocations:.0}")).unwrap_or_default(),
            format!("{:.1}", row.spans_each()),
            row.refused.to_string(),
            mib(row.resident),
        ]);
    }
    table
}

fn level(level: Level) -> String {
    match level {
        Level::Clients(clients) => clients.to_string(),
        Level::Rate(rate) => format!("{rate}/s"),
    }
}

fn footprints(rows: &[Footprint]) -> Table {
    let mut table = Table::new();
    table.load_preset(UTF8_FULL_CONDENSED);
    table.set_header([
        "the five services",
        "programs MiB",
        "ready after ms",
        "first trace after ms",
        "database MiB",
        "MiB at start",
        "anonymous",
        "after logins",
        "at the end",
        "anonymous",
        "peak",
    ]);
    for row in rows {
        table.add_row([
            row.variant.clone(),
            mib(row.programs),
            row.ready.as_millis().to_string(),
            row.first_trace.as_millis().to_string(),
            mib(row.database),
            mib(row.at_start.resident),
            mib(row.at_start.anonymous),
            mib(row.after_logins.resident),
            mib(row.at_end.resident),
            mib(row.at_end.anonymous),
            mib(row.peak),
        ]);
    }
    table
}

fn mib(bytes: u64) -> String {
    (bytes >> 20).to_string()
}

/// The throughput of the first variant relative to that of Postgres alone, with the same number of clients.
fn share(results: &Results, baseline: &PgbenchBaseline) -> Option<f64> {
    let level = Level::Clients(baseline.clients);
    let row = results.measured.iter().find(|row| row.level == level)?;
    Some(row.sustained_per_second() / baseline.per_second)
}

/// The query plans of a submission's statements, for the documentation.
pub(super) fn plans(baseline: &PgbenchBaseline) -> String {
    let plans = baseline.plans.iter().map(|plan| format!("```text\n{plan}\n```\n"));
    plans.collect::<Vec<_>>().join("\n")
}

/// The results as JSON.
pub(super) fn document(results: &Results) -> Value {
    let measured = results.measured.iter().map(|row| {
        let cpu = row.cpu.keys().map(|name| (name.clone(), json!(row.cpu_of(name)))).collect();
        json!({
            "variant": row.variant,
            "level": level(row.level),
            "stored": row.stored,
            "refused": row.refused,
            "stored_per_second": row.answered_per_second(),
            "told_per_second": row.sustained_per_second(),
            "latency_us": [row.latency.value_at_quantile(0.5), row.latency.value_at_quantile(0.99),
                           row.latency.value_at_quantile(0.999)],
            "told_us": [row.told.value_at_quantile(0.5), row.told.value_at_quantile(0.99)],
            "cpu_ms_each": Value::Object(cpu),
            "switches_each": row.switches_of_services(),
            "allocations_each": row.allocations_each(),
            "spans_each": row.spans_each(),
            "resident": row.resident,
        })
    });
    let memory = |memory: Memory| json!({"resident": memory.resident, "anonymous": memory.anonymous});
    let footprints = results.footprints.iter().map(|row| {
        json!({
            "variant": row.variant,
            "programs": row.programs,
            "ready_ms": row.ready.as_millis(),
            "database": row.database,
            "first_trace_ms": row.first_trace.as_millis(),
            "at_start": memory(row.at_start),
            "after_logins": memory(row.after_logins),
            "at_end": memory(row.at_end),
            "peak": row.peak,
        })
    });
    let pgbench = results.baseline.as_ref().map(|baseline| {
        json!({
            "clients": baseline.clients,
            "per_second": baseline.per_second,
            "cpu_ms_each": baseline.cpu,
            "share": share(results, baseline),
        })
    });
    json!({
        "measured": measured.collect::<Vec<_>>(),
        "footprints": footprints.collect::<Vec<_>>(),
        "pgbench": pgbench,
    })
}
