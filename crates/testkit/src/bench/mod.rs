//! What a submission costs, with all its deliveries, and how fast it is: builds and settings side by side in one run.

mod load;
mod population;
mod sinks;
mod usage;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, ensure};
use hdrhistogram::Histogram;
use tokio::process::Command;
use tokio::time::Instant;

use crate::poll;
use crate::postgres::Postgres;
use crate::stack::{Service, Stack};
use load::Load;
use population::Patient;
pub use population::Population;
use sinks::Sinks;
pub use sinks::serve as serve_sinks;
use usage::Usage;

/// Before anything is measured, so that caches are warm and connections open.
const WARM_UP: Duration = Duration::from_secs(2);
const WARM_UP_CLIENTS: usize = 16;
/// For what is still to be delivered after the load.
const BACKLOG: Duration = Duration::from_mins(2);
/// A pause in which the last spans come.
const QUIET: Duration = Duration::from_secs(2);
/// Limits of the gateway's that all these patients at one address would meet.
const LIMITS: [&str; 10] = [
    "ADDRESS__LOGINS__PER_MINUTE",
    "ADDRESS__LOGINS__BURST",
    "ADDRESS__STRANGERS__PER_MINUTE",
    "ADDRESS__STRANGERS__BURST",
    "ALL_LOGINS__PER_SECOND",
    "ALL_LOGINS__BURST",
    "ACCESS_TOKEN__PER_SECOND",
    "ACCESS_TOKEN__BURST",
    "PERSON__PER_SECOND",
    "PERSON__BURST",
];
const UNLIMITED: &str = "1000000";
/// Clients that keep a steady rate.
const STEADY_CLIENTS: usize = 256;

/// A build with settings.
#[derive(Debug, Clone)]
pub struct Variant {
    pub name: String,
    /// Where its binaries are.
    pub binaries: PathBuf,
    /// Variables of all services.
    pub environment: Vec<(&'static str, String)>,
}

/// How submissions come.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Level {
    /// From so many clients, each as soon as it is answered.
    Clients(usize),
    /// So many a second, whatever becomes of them.
    Rate(f64),
}

#[derive(Debug, Clone)]
pub struct Plan {
    pub variants: Vec<Variant>,
    /// Every variant has its turn in each.
    pub rounds: usize,
    pub levels: Vec<Level>,
    /// How long each level lasts in each round.
    pub duration: Duration,
    pub population: Population,
    /// A program that does nothing but [`serve_sinks`], and its argument.
    pub sinks: (PathBuf, &'static str),
}

/// What a variant has done at a level, in all rounds together.
#[derive(Debug)]
pub struct Measured {
    pub variant: String,
    pub level: Level,
    pub stored: u64,
    /// Answers other than 201.
    pub refused: u64,
    /// How long submissions came, and how long it took until everything was delivered.
    pub loaded: Duration,
    pub delivered: Duration,
    /// From a request to its answer, in microseconds.
    pub latency: Histogram<u64>,
    /// From an answer to the report's last message, in microseconds.
    pub told: Histogram<u64>,
    pub messages: u64,
    pub spans: u64,
    /// By service, and `postgres`.
    pub cpu: BTreeMap<String, Duration>,
    pub switches: BTreeMap<String, u64>,
}

impl Measured {
    fn new(variant: &str, level: Level) -> anyhow::Result<Self> {
        Ok(Self {
            variant: variant.to_owned(),
            level,
            stored: 0,
            refused: 0,
            loaded: Duration::ZERO,
            delivered: Duration::ZERO,
            latency: Histogram::new_with_max(60_000_000, 3)?,
            told: Histogram::new_with_max(300_000_000, 3)?,
            messages: 0,
            spans: 0,
            cpu: BTreeMap::new(),
            switches: BTreeMap::new(),
        })
    }

    /// Submissions a second, answered.
    pub fn answered_per_second(&self) -> f64 {
        per(self.stored, self.loaded)
    }

    /// Submissions a second, with everything delivered.
    pub fn sustained_per_second(&self) -> f64 {
        per(self.stored, self.delivered)
    }

    /// Milliseconds of CPU a submission in the five services.
    pub fn cpu_of_services(&self) -> f64 {
        self.cpu.iter().filter(|(name, _)| is_service(name)).map(|(_, cpu)| self.each(*cpu)).sum()
    }

    /// Milliseconds of CPU a submission in one of them, or in `postgres`.
    pub fn cpu_of(&self, name: &str) -> f64 {
        self.cpu.get(name).map(|cpu| self.each(*cpu)).unwrap_or_default()
    }

    /// Context switches a submission in the five services.
    #[expect(clippy::cast_precision_loss, reason = "there are not so many")]
    pub fn switches_of_services(&self) -> f64 {
        let switches: u64 = self.switches.iter().filter(|(name, _)| is_service(name)).map(|(_, count)| count).sum();
        switches as f64 / self.stored.max(1) as f64
    }

    /// Spans a submission.
    #[expect(clippy::cast_precision_loss, reason = "there are not so many")]
    pub fn spans_each(&self) -> f64 {
        self.spans as f64 / self.stored.max(1) as f64
    }

    #[expect(clippy::cast_precision_loss, reason = "there are not so many")]
    fn each(&self, cpu: Duration) -> f64 {
        cpu.as_secs_f64() * 1e3 / self.stored.max(1) as f64
    }
}

#[expect(clippy::cast_precision_loss, reason = "there are not so many")]
fn per(count: u64, duration: Duration) -> f64 {
    count as f64 / duration.as_secs_f64().max(f64::EPSILON)
}

fn is_service(name: &str) -> bool {
    Service::ALL.iter().any(|service| service.name() == name)
}

/// The memory of the five services together, in bytes.
#[derive(Debug, Default, Clone)]
pub struct Memory {
    pub variant: String,
    /// How long the five took to be ready, one beside the other, with Postgres there.
    pub start_up: Duration,
    pub at_start: u64,
    pub after_logins: u64,
    pub at_end: u64,
    /// The sum of each one's peak.
    pub peak: u64,
}

#[derive(Debug)]
pub struct Results {
    pub measured: Vec<Measured>,
    /// Of each variant in the last round.
    pub memory: Vec<Memory>,
}

/// Carries a plan out, on a Postgres of its own that syncs to disk.
///
/// # Errors
/// When something does not start, or what was stored is not delivered in time.
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
    let mut results = Results { measured: Vec::new(), memory: Vec::new() };
    for variant in &plan.variants {
        for level in &plan.levels {
            results.measured.push(Measured::new(&variant.name, *level)?);
        }
    }
    for round in 1..=plan.rounds {
        results.memory.clear();
        for variant in &plan.variants {
            eprintln!("round {round} of {}: {}", plan.rounds, variant.name);
            let memory = measure(plan, variant, &postgres, &mut sinks, &mut results.measured).await?;
            results.memory.push(memory);
        }
    }
    postgres.stop().await?;
    Ok(results)
}

/// One turn of a variant.
async fn measure(
    plan: &Plan,
    variant: &Variant,
    postgres: &Postgres,
    sinks: &mut Sinks,
    measured: &mut [Measured],
) -> anyhow::Result<Memory> {
    let addresses = sinks.addresses.clone();
    let mut builder = Stack::builder()
        .cluster(postgres.cluster())
        .binaries(&variant.binaries)
        .env_all("EPRO_TELEMETRY__ENDPOINT", format!("http://{}", addresses.otlp))
        .env_all("OTEL_BSP_SCHEDULE_DELAY", "1000")
        .env(Service::NotifySvc, "EPRO_SMS__URL", format!("http://{}", addresses.sms))
        .env(Service::NotifySvc, "EPRO_SMTP__URL", format!("smtp://{}", addresses.smtp));
    for limit in LIMITS {
        builder = builder.env(Service::Gateway, &format!("EPRO_RATE_LIMITS__{limit}"), UNLIMITED);
    }
    for (name, value) in &variant.environment {
        builder = builder.env_all(name, value);
    }
    let start = Instant::now();
    let stack = builder.start().await?;
    let mut memory = Memory {
        variant: variant.name.clone(),
        start_up: start.elapsed(),
        at_start: services(|usage| usage.resident)?,
        ..Memory::default()
    };
    let assignments = plan.population.store(&mut stack.database.connect().await?).await?;
    let patients = population::log_in(&stack.client(), assignments).await?;
    memory.after_logins = services(|usage| usage.resident)?;

    let gateway = stack.address(Service::Gateway);
    load::closed(gateway, &patients, WARM_UP_CLIENTS, WARM_UP).await?;
    delivered(&stack).await?;
    sinks.take_all(QUIET).await?;
    for measured in measured.iter_mut().filter(|measured| measured.variant == variant.name) {
        level(&stack, &patients, sinks, plan.duration, measured).await?;
    }
    memory.at_end = services(|usage| usage.resident)?;
    memory.peak = services(|usage| usage.peak)?;
    stack.stop().await?;
    Ok(memory)
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
    let load = match measured.level {
        Level::Clients(clients) => load::closed(gateway, patients, clients, duration).await?,
        Level::Rate(rate) => load::open(gateway, patients, STEADY_CLIENTS, rate, duration).await?,
    };
    measured.loaded += start.elapsed();
    delivered(stack).await?;
    measured.delivered += start.elapsed();
    for (name, after) in usage::of_children()? {
        let used = after - before.get(&name).copied().unwrap_or_default();
        *measured.cpu.entry(name.clone()).or_default() += used.cpu;
        *measured.switches.entry(name).or_default() += used.switches;
    }
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
async fn delivered(stack: &Stack) -> anyhow::Result<()> {
    let mut database = stack.database.connect().await?;
    let pending = async || {
        let pending = "SELECT EXISTS (SELECT FROM clinical.notification WHERE state = 'pending')";
        Ok(sqlx::query_scalar::<_, bool>(pending).fetch_one(&mut database).await?)
    };
    let is_left = poll::until(BACKLOG, pending, |pending| !pending).await?;
    ensure!(!is_left, "something is not delivered {BACKLOG:?} after the load");
    Ok(())
}

fn services(what: impl Fn(&Usage) -> u64) -> anyhow::Result<u64> {
    let usages = usage::of_children()?;
    Ok(usages.iter().filter(|(name, _)| is_service(name)).map(|(_, usage)| what(usage)).sum())
}
