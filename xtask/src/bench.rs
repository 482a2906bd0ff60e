//! `cargo xtask bench`: measures the cost and the speed of a submission, for several builds and settings in one run.

mod flamegraph;
mod report;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use clap::{Args, ValueEnum};
use testkit::bench::{self, Level, Plan, Population, Results, Variant};

use crate::cargo::{build_services, cargo, succeed};

/// The sub-command that runs the receivers of spans, SMS and mail.
pub(crate) const SINKS: &str = "bench-sinks";

/// The least number of patients. With many, a submission rarely waits for another one of the same patient.
const PATIENTS: u32 = 256;

#[derive(Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub(crate) struct Options {
    /// One short round with 16 clients, only with tracing.
    #[arg(long)]
    quick: bool,
    /// Prints JSON instead of tables.
    #[arg(long)]
    json: bool,
    /// The binaries of another release build, which is measured alternately with this one.
    #[arg(long, value_name = "FOLDER")]
    against: Option<PathBuf>,
    /// The tracing modes to measure for this build; may be given more than once.
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
    /// The number of nurses at each site. Each gets an SMS and a mail for every report.
    #[arg(long, value_delimiter = ',', default_values_t = [1])]
    nurses: Vec<u32>,
    #[arg(long, value_delimiter = ',', default_values_t = [16])]
    sites: Vec<u32>,
    /// The number of reports that are stored before the measurement.
    #[arg(long, value_delimiter = ',', default_values_t = [0])]
    reports: Vec<u32>,
    /// Writes the query plans of a submission's statements to a file.
    #[arg(long, value_name = "FILE", conflicts_with = "no_pgbench")]
    plans: Option<PathBuf>,
    /// Draws a flame graph of the services' CPU time (needs Linux's perf), of the last variant at all levels together.
    #[arg(long, value_name = "FILE")]
    flamegraph: Option<PathBuf>,
    /// Counts allocations (needs Linux's perf, and root). Each one takes a microsecond longer, so the other figures get
    /// worse.
    #[arg(long)]
    allocations: bool,
    /// Leaves out the measurement of Postgres alone with pgbench.
    #[arg(long)]
    no_pgbench: bool,
    /// Measures another server with the same API instead. It must have the demo's patients.
    #[arg(long, value_name = "URL")]
    peer: Option<String>,
}

/// How much is traced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Tracing {
    /// Every trace.
    All,
    /// One trace of twenty.
    #[value(name = "5%")]
    Few,
    /// No spans are made.
    Disabled,
    /// Every trace, while the collector is down.
    DeadCollector,
}

impl Tracing {
    fn environment(self) -> Vec<(&'static str, String)> {
        match self {
            Self::All => vec![],
            Self::Few => vec![("EPRO_TELEMETRY__SAMPLER", "0.05".to_owned())],
            Self::Disabled => vec![("OTEL_SDK_DISABLED", "true".to_owned())],
            // Nothing listens on port 9.
            Self::DeadCollector => vec![("EPRO_TELEMETRY__ENDPOINT", "http://127.0.0.1:9".to_owned())],
        }
    }
}

pub(crate) async fn run(options: Options) -> anyhow::Result<()> {
    if cfg!(debug_assertions) {
        // A debug build would give useless figures, and perf needs symbols, which a release build does not have.
        let needs_names = options.flamegraph.is_some() || options.allocations;
        let profile = if needs_names { "profiling" } else { "release" };
        let mut optimised = cargo();
        optimised.args(["run", "--profile", profile, "--bin", "xtask", "--"]).args(std::env::args_os().skip(1));
        return succeed(optimised).await;
    }
    if let Some(peer) = &options.peer {
        let rows = bench::run_against_peer(peer, &options.levels(), options.duration()).await?;
        print(&options, &Results::of(rows));
        return Ok(());
    }
    build_services().await?;
    let recorded = tempfile::tempdir().context("make a folder")?;
    let plan = plan(&options, &recorded.path().join("perf.data"))?;
    let results = tokio::select! {
        results = bench::run(&plan) => results?,
        _ = tokio::signal::ctrl_c() => anyhow::bail!("interrupted"),
    };
    if let (Some(file), Some(baseline)) = (&options.plans, &results.baseline) {
        std::fs::write(file, report::plans(baseline)).with_context(|| format!("write {}", file.display()))?;
    }
    if let (Some(picture), Some(stacks)) = (&options.flamegraph, &plan.stacks) {
        flamegraph::draw(stacks, &results.recorded, picture).await?;
    }
    print(&options, &results);
    Ok(())
}

fn print(options: &Options, results: &Results) {
    if options.json {
        println!("{:#}", report::document(results));
    } else {
        println!("{}", report::tables(results));
    }
}

impl Options {
    fn levels(&self) -> Vec<Level> {
        let clients = if self.quick { vec![16] } else { self.clients.clone() };
        let rates = self.rates.iter().copied().map(Level::Rate);
        clients.into_iter().map(Level::Clients).chain(rates).collect()
    }

    fn duration(&self) -> Duration {
        Duration::from_secs(if self.quick { 4 } else { self.seconds })
    }

    /// Every combination of sites, nurses and stored reports. The name says in what it differs from the others.
    fn populations(&self, patients: u32) -> Vec<(String, Population)> {
        let mut populations = Vec::new();
        for &sites in &self.sites {
            for &nurses_per_site in &self.nurses {
                for &reports in &self.reports {
                    let parts = [
                        (self.sites.len() > 1, format!(", {sites} sites")),
                        (self.nurses.len() > 1, format!(", {nurses_per_site} nurses")),
                        (self.reports.len() > 1, format!(", {reports} reports")),
                    ];
                    let name = parts.into_iter().filter_map(|(differs, part)| differs.then_some(part)).collect();
                    populations.push((name, Population { sites, nurses_per_site, patients, reports }));
                }
            }
        }
        populations
    }
}

fn plan(options: &Options, stacks: &Path) -> anyhow::Result<Plan> {
    let executable = std::env::current_exe().context("find this program")?;
    let ours = executable.parent().context("the folder of this program")?.to_owned();
    let levels = options.levels();
    let patients = levels.iter().map(|level| match level {
        Level::Clients(clients) => u32::try_from(*clients).unwrap_or(u32::MAX),
        Level::Rate(_) => PATIENTS,
    });
    let patients = patients.max().unwrap_or_default().max(PATIENTS);
    let mut variants = Vec::new();
    for (differs, population) in options.populations(patients) {
        let mut add = |name: &str, binaries: &Path, tracing: Tracing| {
            let (binaries, environment) = (binaries.to_owned(), tracing.environment());
            variants.push(Variant { name: format!("{name}{differs}"), binaries, environment, population });
        };
        if let Some(folder) = &options.against {
            add("the other build", folder, Tracing::All);
        }
        for tracing in &options.tracing {
            let name = tracing.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default();
            add(&format!("tracing {name}"), &ours, *tracing);
        }
    }
    let statements = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.sqlx");
    Ok(Plan {
        variants,
        rounds: if options.quick { 1 } else { options.rounds },
        duration: options.duration(),
        levels,
        statements: (!options.no_pgbench).then_some(statements),
        stacks: options.flamegraph.as_ref().map(|_| stacks.to_owned()),
        allocations: options.allocations,
        sinks: (executable, SINKS),
    })
}
