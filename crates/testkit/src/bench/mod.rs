//! Measures what a submission with all its deliveries costs, and how fast it is. Several builds and settings are
//! compared in one run.

mod load;
mod perf;
mod pgbench;
pub(crate) mod population;
mod results;
mod sinks;
pub(crate) mod usage;

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, ensure};
use tokio::process::Command;
use tokio::time::Instant;
use url::Url;

use crate::client::Client;
use crate::poll;
use crate::postgres::Postgres;
use crate::stack::{Service, Stack};
use load::Load;
use perf::{Allocations, Recording};
pub use pgbench::PgbenchBaseline;
pub use population::{Patient, Population, log_in, log_in_demo};
pub(crate) use results::is_service;
pub use results::{Footprint, Measured, Memory, Results};
use sinks::Sinks;
pub use sinks::serve as serve_sinks;
use usage::Usage;

/// Load before the measurement, to warm caches and open connections.
const WARM_UP: Duration = Duration::from_secs(2);
const WARM_UP_CLIENTS: usize = 16;
/// The most time for deliveries that are left after the load.
const BACKLOG: Duration = Duration::from_mins(2);
/// When nothing has arrived for this long, the last spans are there.
const QUIET: Duration = Duration::from_secs(2);
/// The most clients that share a steady rate.
const STEADY_CLIENTS: usize = 256;

/// A build with its settings and its stored data.
#[derive(Debug, Clone)]
pub struct Variant {
    pub name: String,
    /// The folder of its binaries.
    pub binaries: PathBuf,
    /// Environment variables of all services.
    pub environment: Vec<(&'static str, String)>,
    pub population: Population,
}

/// How the load is made.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Level {
    /// This many clients; each submits as soon as it has its last answer.
    Clients(usize),
    /// This many submissions a second, whether or not they are answered.
    Rate(f64),
}

#[derive(Debug, Clone)]
pub struct Plan {
    pub variants: Vec<Variant>,
    /// Every variant is measured once in each round.
    pub rounds: usize,
    pub levels: Vec<Level>,
    /// How long each level lasts in each round.
    pub duration: Duration,
    /// The folder in which sqlx has written the services' statements; pgbench runs those of one submission. `None`
    /// leaves that out.
    pub statements: Option<PathBuf>,
    /// The file for the services' stacks under load, in the format of Linux's `perf`. Only those of the last
    /// measurement.
    pub stacks: Option<PathBuf>,
    /// Whether allocations are counted. This needs root and makes each allocation a microsecond slower.
    pub allocations: bool,
    /// A program that only runs [`serve_sinks`], and its argument.
    pub sinks: (PathBuf, &'static str),
}

/// Carries out a plan on a Postgres of its own that syncs to disk.
///
/// # Errors
/// When something does not start, or stored reports are not delivered in time.
pub async fn run(plan: &Plan) -> anyhow::Result<Results> {
    let mut postgres = Postgres::builder().start().await?;
    postgres.cluster().create_template().await?;
    let mut sinks = Sinks::start({
        let (program, argument) = &plan.sinks;
        let mut command = Command::new(program);
        command.arg(argument);
        command
    })
    .await?;
    let mut results = Results::of(Vec::new());
    for variant in &plan.variants {
        for level in &plan.levels {
            results.measured.push(Measured::new(&variant.name, *level)?);
        }
    }
    if let (Some(statements), Some(variant)) = (&plan.statements, plan.variants.first()) {
        eprintln!("pgbench");
        let duration = plan.duration.max(WARM_UP);
        results.baseline =
            Some(pgbench::run(&postgres, statements, variant.population, WARM_UP_CLIENTS, duration).await?);
    }
    for round in 1..=plan.rounds {
        results.footprints.clear();
        for variant in &plan.variants {
            eprintln!("round {round} of {}: {}", plan.rounds, variant.name);
            measure(plan, variant, &postgres, &mut sinks, &mut results).await?;
        }
    }
    postgres.stop().await?;
    Ok(results)
}

/// Measures one variant in one round.
async fn measure(
    plan: &Plan,
    variant: &Variant,
    postgres: &Postgres,
    sinks: &mut Sinks,
    results: &mut Results,
) -> anyhow::Result<()> {
    let addresses = sinks.addresses.clone();
    let mut builder = Stack::builder()
        .without_rate_limits()
        .cluster(postgres.cluster())
        .binaries(&variant.binaries)
        .env_all("EPRO_TELEMETRY__ENDPOINT", format!("http://{}", addresses.otlp))
        .env_all("OTEL_BSP_SCHEDULE_DELAY", "1000")
        // As in the image of the service.
        .env(Service::UserSvc, "MIMALLOC_PURGE_DELAY", "0")
        .env(Service::NotifySvc, "EPRO_SMS__URL", format!("http://{}", addresses.sms))
        .env(Service::NotifySvc, "EPRO_SMTP__URL", format!("smtp://{}", addresses.smtp));
    for (name, value) in &variant.environment {
        builder = builder.env_all(name, value);
    }
    let start = Instant::now();
    let stack = builder.start().await?;
    let mut footprint = Footprint {
        variant: variant.name.clone(),
        programs: programs(&variant.binaries)?,
        ready: start.elapsed(),
        at_start: memory()?,
        ..Footprint::default()
    };
    // A variant's settings may turn tracing off, and then no span would arrive.
    if variant.environment.is_empty() {
        population::submit_one(&stack.client()).await?;
        sinks.wait_for_spans().await?;
        footprint.first_trace = start.elapsed();
    }
    let mut database = stack.database.connect().await?;
    let assignments = variant.population.store(&mut database).await?;
    let size = "SELECT pg_database_size(current_database())";
    footprint.database = sqlx::query_scalar::<_, i64>(size).fetch_one(&mut database).await?.unsigned_abs();
    let patients = population::log_in(&stack.client(), assignments).await?;
    footprint.after_logins = memory()?;

    let gateway = stack.address(Service::Gateway);
    load::closed(gateway, &patients, WARM_UP_CLIENTS, WARM_UP).await?;
    delivered(&stack).await?;
    sinks.take_all(QUIET).await?;
    let allocations = plan.allocations.then(|| Allocations::count_in(&variant.binaries)).transpose()?;
    let recording = plan.stacks.as_deref().map(Recording::start).transpose()?;
    for measured in results.measured.iter_mut().filter(|measured| measured.variant == variant.name) {
        let before = Allocations::so_far(allocations.as_ref())?;
        level(&stack, &patients, sinks, plan.duration, measured).await?;
        measured.allocations += Allocations::so_far(allocations.as_ref())? - before;
    }
    if let Some(recording) = recording {
        results.recorded = recording.stop().await?;
    }
    footprint.at_end = memory()?;
    footprint.peak = services(|usage| usage.peak)?;
    stack.stop().await?;
    results.footprints.push(footprint);
    Ok(())
}

async fn level(
    stack: &Stack,
    patients: &[Patient],
    sinks: &mut Sinks,
    duration: Duration,
    measured: &mut Measured,
) -> anyhow::Result<()> {
    let gateway = stack.address(Service::Gateway);
    let before = usage::of_children()?;
    let start = Instant::now();
    let load = apply(gateway, patients, measured.level, duration).await?;
    measured.loaded += start.elapsed();
    delivered(stack).await?;
    measured.delivered += start.elapsed();
    for (name, after) in usage::of_children()? {
        let used = after - before.get(&name).copied().unwrap_or_default();
        *measured.cpu.entry(name.clone()).or_default() += used.cpu;
        *measured.switches.entry(name).or_default() += used.switches;
    }
    measured.resident = memory()?.resident;
    let arrived = sinks.take_all(QUIET).await?;
    measured.spans += arrived.spans;
    measured.messages += arrived.messages;
    let Load { latency, refused, acknowledged } = load;
    measured.stored += acknowledged.len() as u64;
    measured.refused += refused;
    measured.latency.add(&latency)?;
    for (report_id, at) in acknowledged {
        let last = arrived.last.get(&report_id).with_context(|| format!("nobody was told of report {report_id}"))?;
        measured.told.saturating_record(last.saturating_sub(at));
    }
    Ok(())
}

/// Waits until everything is delivered.
pub(crate) async fn delivered(stack: &Stack) -> anyhow::Result<()> {
    let mut database = stack.database.connect().await?;
    let pending = async || {
        let pending = "SELECT EXISTS (SELECT FROM clinical.notification WHERE state = 'pending')";
        Ok(sqlx::query_scalar::<_, bool>(pending).fetch_one(&mut database).await?)
    };
    let is_left = poll::until(BACKLOG, pending, |pending| !pending).await?;
    ensure!(!is_left, "something is not delivered {BACKLOG:?} after the load");
    Ok(())
}

/// Loads another server with the same API and the demo's patients. Its costs are not measured.
///
/// # Errors
/// When it cannot be reached or a patient is refused.
pub async fn run_against_peer(url: &str, levels: &[Level], duration: Duration) -> anyhow::Result<Vec<Measured>> {
    let url = Url::parse(url).context("read the URL")?;
    let addresses = url.socket_addrs(|| None).context("find the server")?;
    let gateway = *addresses.first().context("the server has no address")?;
    let patients = population::log_in_demo(&Client::new(url.as_str().trim_end_matches('/'))).await?;
    let mut all = Vec::new();
    for level in levels {
        let mut measured = Measured::new(url.as_str(), *level)?;
        let start = Instant::now();
        let load = apply(gateway, &patients, *level, duration).await?;
        measured.loaded = start.elapsed();
        measured.stored = load.acknowledged.len() as u64;
        measured.refused = load.refused;
        measured.latency = load.latency;
        all.push(measured);
    }
    Ok(all)
}

async fn apply(gateway: SocketAddr, patients: &[Patient], level: Level, duration: Duration) -> anyhow::Result<Load> {
    match level {
        Level::Clients(clients) => load::closed(gateway, patients, clients, duration).await,
        Level::Rate(rate) => load::open(gateway, patients, STEADY_CLIENTS, rate, duration).await,
    }
}

/// The size of the services' binaries, in bytes.
fn programs(folder: &Path) -> anyhow::Result<u64> {
    let size = |service: Service| {
        let path = folder.join(service.name());
        Ok(fs::metadata(&path).with_context(|| format!("look at {}", path.display()))?.len())
    };
    Service::ALL.into_iter().map(size).sum()
}

fn memory() -> anyhow::Result<Memory> {
    Ok(Memory { resident: services(|usage| usage.resident)?, anonymous: services(|usage| usage.anonymous)? })
}

fn services(what: impl Fn(&Usage) -> u64) -> anyhow::Result<u64> {
    let usages = usage::of_children()?;
    Ok(usages.iter().filter(|(name, _)| is_service(name)).map(|(_, usage)| what(usage)).sum())
}
