//! `cargo xtask bench`: what a submission costs and how fast it is, builds and settings side by side.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use clap::{Args, ValueEnum};
use comfy_table::Table;
use comfy_table::presets::UTF8_FULL_CONDENSED;
use serde_json::{Value, json};
use testkit::bench::{self, Level, Measured, Memory, Plan, Population, Results, Variant};

use crate::cargo::{build_services, cargo, succeed};

/// The sub-command that serves as the sinks' process.
pub(crate) const SINKS: &str = "bench-sinks";

#[derive(Args)]
pub(crate) struct Options {
    /// One short round at 16 clients with tracing alone.
    #[arg(long)]
    quick: bool,
    /// Prints JSON instead of tables.
    #[arg(long)]
    json: bool,
    /// The binaries of another release build, which takes turns with this one.
    #[arg(long, value_name = "FOLDER")]
    against: Option<PathBuf>,
    /// What is measured of this build; may be given more than once.
    #[arg(long, value_enum, default_values_t = [Tracing::All])]
    tracing: Vec<Tracing>,
    #[arg(long, value_delimiter = ',', default_values_t = [1, 16, 64, 256])]
    clients: Vec<usize>,
    /// Steady rates, in submissions a second.
    #[arg(long, value_delimiter = ',')]
    rates: Vec<f64>,
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// How long each level lasts in each round.
    #[arg(long, default_value_t = 12)]
    seconds: u64,
    /// At each site; each is sent an SMS and a mail of every report.
    #[arg(long, default_value_t = 1)]
    nurses: u32,
    #[arg(long, default_value_t = 16)]
    sites: u32,
}

/// How much is traced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Tracing {
    /// Every trace.
    All,
    /// One trace of twenty.
    #[value(name = "5%")]
    Few,
    /// Nothing is built.
    Disabled,
    /// Every trace, and the collector cannot be reached.
    DeadCollector,
}

impl Tracing {
    fn environment(self) -> Vec<(&'static str, String)> {
        match self {
            Self::All => vec![],
            Self::Few => vec![("EPRO_TELEMETRY__SAMPLER", "0.05".to_owned())],
            Self::Disabled => vec![("OTEL_SDK_DISABLED", "true".to_owned())],
            // Port 9, where nothing listens.
            Self::DeadCollector => vec![("EPRO_TELEMETRY__ENDPOINT", "http://127.0.0.1:9".to_owned())],
        }
    }
}

pub(crate) async fn run(options: Options) -> anyhow::Result<()> {
    if cfg!(debug_assertions) {
        // A debug build's figures say nothing.
        let mut release = cargo();
        release.args(["run", "--release", "--package", "xtask", "--"]).args(std::env::args_os().skip(1));
        return succeed(release).await;
    }
    build_services().await?;
    let plan = plan(&options)?;
    let results = tokio::select! {
        results = bench::run(&plan) => results?,
        _ = tokio::signal::ctrl_c() => anyhow::bail!("interrupted"),
    };
    if options.json {
        println!("{:#}", document(&results));
    } else {
        println!("{}\n{}", measured(&results.measured), memory(&results.memory));
    }
    Ok(())
}

fn plan(options: &Options) -> anyhow::Result<Plan> {
    let executable = std::env::current_exe().context("find this program")?;
    let ours = executable.parent().context("the folder of this program")?.to_owned();
    let variant = |name: String, binaries: &PathBuf, tracing: Tracing| Variant {
        name,
        binaries: binaries.clone(),
        environment: tracing.environment(),
    };
    let mut variants = Vec::new();
    if let Some(folder) = &options.against {
        variants.push(variant("the other build".to_owned(), folder, Tracing::All));
    }
    for tracing in &options.tracing {
        let name = tracing.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default();
        variants.push(variant(format!("tracing {name}"), &ours, *tracing));
    }
    let clients = if options.quick { vec![16] } else { options.clients.clone() };
    let mut levels: Vec<_> = clients.into_iter().map(Level::Clients).collect();
    levels.extend(options.rates.iter().copied().map(Level::Rate));
    let patients = levels.iter().map(|level| match level {
        Level::Clients(clients) => u32::try_from(*clients).unwrap_or(u32::MAX),
        Level::Rate(_) => 256,
    });
    Ok(Plan {
        variants,
        rounds: if options.quick { 1 } else { options.rounds },
        duration: Duration::from_secs(if options.quick { 4 } else { options.seconds }),
        population: Population {
            sites: options.sites,
            nurses_per_site: options.nurses,
            patients: patients.max().unwrap_or(1).max(256),
        },
        levels,
        sinks: (executable, SINKS),
    })
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
        "spans each",
        "refused",
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
            format!("{:.1}", row.spans_each()),
            row.refused.to_string(),
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

fn memory(rows: &[Memory]) -> Table {
    let mut table = Table::new();
    table.load_preset(UTF8_FULL_CONDENSED);
    table.set_header([
        "memory of the five services, MiB",
        "ready after ms",
        "at start",
        "after logins",
        "at the end",
        "peak",
    ]);
    for row in rows {
        let mib = |bytes: u64| (bytes >> 20).to_string();
        let Memory { variant, start_up, at_start, after_logins, at_end, peak } = row;
        table.add_row([
            variant.clone(),
            start_up.as_millis().to_string(),
            mib(*at_start),
            mib(*after_logins),
            mib(*at_end),
            mib(*peak),
        ]);
    }
    table
}

fn document(results: &Results) -> Value {
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
            "spans_each": row.spans_each(),
        })
    });
    let memory = results.memory.iter().map(|row| {
        let Memory { variant, start_up, at_start, after_logins, at_end, peak } = row;
        json!({"variant": variant, "start_up_ms": start_up.as_millis(), "at_start": at_start, "after_logins": after_logins, "at_end": at_end, "peak": peak})
    });
    json!({"measured": measured.collect::<Vec<_>>(), "memory": memory.collect::<Vec<_>>()})
}
