//! The results of the lab as text and as JSON.

use comfy_table::Table;
use comfy_table::presets::ASCII_MARKDOWN;
use serde_json::{Value, json};
use testkit::sampling_lab::{CONFIDENCE, Caught, Counted, Failure, Plan, Row};

/// Tables in Markdown, for people and for the documentation.
pub(super) fn tables(rows: &[Row]) -> anyhow::Result<String> {
    Ok(format!("{}\n\n{}\n\n{}", samplers(rows)?, failures(rows), routes(rows)?))
}

fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_preset(ASCII_MARKDOWN).set_header(header);
    table
}

/// The three kinds of failures: in the patient's answer, soon after it in another process, and long after it.
fn caught(row: &Row) -> [Caught; 3] {
    [
        row.caught(Failure::is_answered),
        row.caught(|failure| matches!(failure, Failure::Hint | Failure::Delivery)),
        row.caught(|failure| failure == Failure::LateDelivery),
    ]
}

fn samplers(rows: &[Row]) -> anyhow::Result<Table> {
    let mut table = table(&[
        "sampler",
        "kept",
        "by chance, 99 % interval",
        "good ones whole",
        "failures answered: found, path to the root",
        "after the answer",
        "late",
        "kB each",
        "CPU ms each",
        "MiB",
        "held ms p50 / p99 / max",
        "lost",
        "unplanned",
        "unexplained",
    ]);
    for row in rows {
        let counted = row.submissions();
        let [answered, after, late] = caught(row).map(finding);
        let cost = row.cost.as_ref();
        let held = cost.map(|cost| {
            let at = |quantile| cost.held.value_at_quantile(quantile);
            format!("{} / {} / {}", at(0.5), at(0.99), cost.held.max())
        });
        table.add_row([
            row.sampler.clone(),
            share(counted.kept, counted.sent),
            chosen(counted)?,
            share(counted.whole, counted.good),
            answered,
            after,
            late,
            format!("{:.2}", row.kilobytes_each()),
            or_none(row.cpu_each().map(|cpu| format!("{cpu:.1}"))),
            or_none(cost.map(|cost| (cost.resident >> 20).to_string())),
            or_none(held),
            or_none(cost.map(|cost| cost.lost.to_string())),
            row.unplanned.len().to_string(),
            row.unexplained.to_string(),
        ]);
    }
    Ok(table)
}

fn failures(rows: &[Row]) -> Table {
    let mut header = vec!["found; waited for, to the root; spans".to_owned()];
    header.extend(Failure::ALL.map(|failure| failure.to_string()));
    let mut table = table(&header.iter().map(String::as_str).collect::<Vec<_>>());
    for row in rows {
        let found = Failure::ALL.map(|failure| {
            let caught = row.caught(|other| other == failure);
            let spans = or_none(ratio(caught.spans, caught.sent).map(|spans| format!("{spans:.1}")));
            let paths = [caught.waited, caught.complete].map(|whole| share(whole, caught.caught));
            format!("{}; {}, {}; {spans}", share(caught.caught, caught.sent), paths[0], paths[1])
        });
        table.add_row([row.sampler.clone()].into_iter().chain(found));
    }
    table
}

fn routes(rows: &[Row]) -> anyhow::Result<Table> {
    let mut table =
        table(&["sampler", "route", "sent", "by chance, 99 % interval", "estimate, 99 % interval", "inside"]);
    for row in rows {
        for (route, counted) in &row.routes {
            table.add_row([
                row.sampler.clone(),
                route.name().to_owned(),
                counted.sent.to_string(),
                chosen(counted)?,
                estimate(counted)?,
                or_none(counted.is_inside()?.map(|inside| if inside { "yes" } else { "no" }.to_owned())),
            ]);
        }
    }
    Ok(table)
}

fn or_none(text: Option<String>) -> String {
    text.unwrap_or_else(|| "-".to_owned())
}

fn share(part: u64, whole: u64) -> String {
    or_none(ratio(part, whole).map(percent))
}

/// Without digits that have no meaning.
fn percent(share: f64) -> String {
    let text = format!("{:.1}", 100.0 * share);
    format!("{} %", text.strip_suffix(".0").unwrap_or(&text))
}

#[expect(clippy::cast_precision_loss, reason = "there are not so many")]
fn ratio(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

fn finding(caught: Caught) -> String {
    let Caught { sent, caught, complete, .. } = caught;
    format!("{}, {}", share(caught, sent), share(complete, caught))
}

fn chosen(counted: &Counted) -> anyhow::Result<String> {
    if counted.share.is_none() {
        return Ok("-".to_owned());
    }
    let interval = counted.interval()?;
    let (low, high) = (100.0 * interval.start(), 100.0 * interval.end());
    Ok(format!("{} [{low:.1}, {high:.1}]", share(counted.chosen, counted.sent)))
}

/// The count with its interval, if the probability is known.
fn estimate(counted: &Counted) -> anyhow::Result<String> {
    let Some(share) = counted.share.filter(|share| *share > 0.0) else { return Ok("-".to_owned()) };
    let interval = counted.interval()?;
    let of = |bound: &f64| scaled(*bound / share, counted.sent);
    Ok(format!("{:.0} [{:.0}, {:.0}]", counted.estimate, of(interval.start()), of(interval.end())))
}

#[expect(clippy::cast_precision_loss, reason = "there are not so many")]
fn scaled(factor: f64, count: u64) -> f64 {
    factor * count as f64
}

/// The results as JSON.
pub(super) fn document(plan: &Plan, rows: &[Row]) -> anyhow::Result<Value> {
    let rows = rows.iter().map(row).collect::<anyhow::Result<Vec<_>>>()?;
    let Plan { submissions, failures, clients, seed, .. } = plan;
    let build = if cfg!(debug_assertions) { "debug" } else { "release" };
    Ok(json!({
        "build": build, "submissions": submissions, "failures_of_each": failures, "clients": clients, "seed": seed,
        "confidence": CONFIDENCE, "samplers": rows,
    }))
}

fn row(row: &Row) -> anyhow::Result<Value> {
    let mut routes = serde_json::Map::new();
    for (route, counted) in &row.routes {
        let interval = counted.interval()?;
        let Counted { sent, kept, chosen, share, estimate, good, whole } = counted;
        let value = json!({
            "sent": sent, "kept": kept, "chosen": chosen, "share": share, "interval": [interval.start(), interval.end()],
            "inside": counted.is_inside()?, "estimate": estimate, "good": good, "whole": whole,
        });
        routes.insert(route.name().to_owned(), value);
    }
    let failures = row.failures.iter().map(|(failure, caught)| {
        let Caught { sent, caught, waited, complete, spans } = caught;
        let paths = json!({"waited_for": waited, "to_the_root": complete});
        (failure.to_string(), json!({"sent": sent, "found": caught, "paths": paths, "spans": spans}))
    });
    let cost = row.cost.as_ref().map(|cost| {
        let held = |quantile| cost.held.value_at_quantile(quantile);
        json!({
            "cpu_ms_each": row.cpu_each(), "resident_bytes": cost.resident, "lost_spans": cost.lost,
            "held_ms": {"p50": held(0.5), "p99": held(0.99), "max": cost.held.max()},
        })
    });
    Ok(json!({
        "sampler": row.sampler, "routes": routes, "failures": failures.collect::<serde_json::Map<_, _>>(),
        "unplanned": row.unplanned.len(), "unexplained": row.unexplained, "kilobytes_each": row.kilobytes_each(), "cost": cost,
    }))
}
