//! Measures what each sampler keeps. The five services run under the same seeded load with known failures, once with
//! each sampler, and the spans that arrive show what happened to every submission.

mod interval;
mod judgement;
mod kills;
mod load;
mod probability;
mod receiver;
mod results;
mod sampler;
mod strategies;

use std::collections::{BTreeMap, HashSet};
use std::num::NonZeroUsize;
use std::time::Duration;

use anyhow::{Context, ensure};
use fastrand::Rng;
use hdrhistogram::Histogram;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::bench::population::{self, Patient, Population};
use crate::bench::usage::{self, Usage};
use crate::bench::{delivered, is_service};
use crate::chaos;
use crate::client::Client;
use crate::otlp;
use crate::postgres::Cluster;
use crate::sms::Behaviour;
use crate::stack::{Service, Stack};
pub use interval::{CONFIDENCE, interval};
use kills::Kill;
use load::{Answers, LATE_SITE, PATIENTS, REFUSED_SITE, Request, SITES};
pub use load::{Failure, Route};
use probability::probability;
use receiver::{Arrived, Receiver, held};
pub use results::{Caught, Cost, Counted, Row};
pub use sampler::Sampler;
pub use strategies::Strategy;

/// The requests of a batch. After each batch the arrived spans are judged and dropped, which limits the memory.
const BATCH: usize = 4_000;
/// When nothing has arrived for this long, nothing more will: services export their spans every 0.2 s here.
const QUIET: Duration = Duration::from_secs(2);
/// How long after its answer the provider refuses a number: longer than `sampler: errors` holds traces without a
/// failure.
const LATE: Duration = Duration::from_secs(3);
/// How long logins are retried.
const LOGINS: Duration = Duration::from_mins(1);
/// The most time until a sampler is in effect.
const IN_FORCE: Duration = Duration::from_secs(20);
/// The causes of spans dropped for lack of space.
const LOST: [&str; 3] = ["queue_full", "shed", "fragments_full"];

#[derive(Debug, Clone)]
pub struct Plan {
    pub samplers: Vec<Sampler>,
    /// Adds a row that is computed from the one of [`Sampler::AlwaysOn`]: an ideal collector that sees all spans and
    /// keeps this ratio of the traces without failures.
    pub baseline: Option<f64>,
    pub submissions: u32,
    /// How many of the submissions fail in each of these ways.
    pub failures: u32,
    pub ways: Vec<Failure>,
    /// Requests in flight at the same time.
    pub clients: usize,
    /// Each time that this many requests were sent, the next service is killed and started again. Requests in flight at
    /// that time are judged in a row of their own.
    pub kill_every: Option<NonZeroUsize>,
    /// Decides the order of requests and their patients.
    pub seed: u64,
}

/// Carries out a plan with a stack of its own for each sampler.
///
/// # Errors
/// When something does not start, an answer is not the expected one, or stored reports are not delivered in time.
pub async fn run(plan: &Plan, cluster: &Cluster) -> anyhow::Result<Vec<Row>> {
    let failing = plan.failures as usize * plan.ways.len();
    ensure!(failing <= plan.submissions as usize, "{failing} failures are more than {} submissions", plan.submissions);
    let mut rows = Vec::new();
    for sampler in &plan.samplers {
        eprintln!("{sampler}");
        rows.extend(measure(plan, *sampler, cluster).await.with_context(|| sampler.to_string())?);
    }
    Ok(rows)
}

/// The row of a sampler. That of [`Sampler::AlwaysOn`] is followed by the row of the baseline.
async fn measure(plan: &Plan, sampler: Sampler, cluster: &Cluster) -> anyhow::Result<Vec<Row>> {
    let mut lab = Lab::start(sampler, plan.kill_every.is_some(), cluster).await?;
    let requests = load::requests(plan.submissions, plan.failures, &plan.ways, &mut Rng::with_seed(plan.seed));
    let mut tally = Tally::new(sampler, plan)?;
    let mut batches: Vec<_> = requests.chunks(BATCH).collect();
    let last = batches.pop().context("a load of nothing")?;
    for batch in batches {
        let (answers, kills) = lab.send(batch, plan, &mut tally.cpu).await?;
        tally.add(answers, &kills, lab.receiver.take()?)?;
    }
    let (answers, kills) = lab.send(last, plan, &mut tally.cpu).await?;
    let resident = services(|usage| usage.resident)?;
    let (receiver, dropped) = lab.stop().await?;
    tally.add(answers, &kills, receiver.take()?)?;
    Ok(tally.rows(resident, dropped))
}

/// The results of all batches so far.
struct Tally {
    row: Row,
    ideal: Option<(f64, Row)>,
    /// Requests that were in flight when a service was killed.
    killed: Option<Row>,
    cpu: Duration,
    held: Histogram<u64>,
    judged: HashSet<String>,
}

impl Tally {
    fn new(sampler: Sampler, plan: &Plan) -> anyhow::Result<Self> {
        let baseline = plan.baseline.filter(|_| sampler == Sampler::AlwaysOn);
        let share = |route| sampler.share(route);
        let killed = plan.kill_every.map(|_| Row::new(format!("{sampler}, during kills"), share));
        Ok(Self {
            killed,
            row: Row::new(sampler.to_string(), share),
            ideal: baseline.map(|ratio| (ratio, Row::new(format!("tail {ratio}, ideal"), |_| Some(ratio)))),
            cpu: Duration::ZERO,
            held: held()?,
            judged: HashSet::new(),
        })
    }

    fn add(&mut self, answers: Answers, kills: &[Kill], mut arrived: Arrived) -> anyhow::Result<()> {
        let Answers { sent, unplanned } = answers;
        let late = arrived.traces.keys().filter(|trace_id| self.judged.contains(*trace_id)).count();
        ensure!(late == 0, "spans of {late} traces came after these had been judged");
        self.held.add(&arrived.held)?;
        if let Some((ratio, ideal)) = &mut self.ideal {
            ideal.unplanned.extend(unplanned.clone());
            judgement::judge(ideal, &sent, &mut judgement::by_tail(*ratio, &sent, &arrived.traces));
        }
        let (met, calm): (Vec<_>, Vec<_>) = sent.into_iter().partition(|sent| !kills::met_by(sent, kills).is_empty());
        if let Some(killed) = &mut self.killed {
            killed.unexplained += judgement::unexplained(&met, &arrived.traces, kills);
            judgement::judge(killed, &met, &mut arrived.traces);
        }
        self.killed.as_mut().unwrap_or(&mut self.row).unplanned.extend(unplanned);
        judgement::judge(&mut self.row, &calm, &mut arrived.traces);
        self.judged.extend(met.into_iter().chain(calm).map(|sent| sent.trace_id));
        Ok(())
    }

    fn rows(mut self, resident: u64, lost: i64) -> Vec<Row> {
        // A killed process loses its measurements, so there is no cost then.
        let cost = Cost { cpu: self.cpu, resident, held: self.held, lost };
        self.row.cost = self.killed.is_none().then_some(cost);
        [self.row].into_iter().chain(self.ideal.map(|(_, ideal)| ideal)).chain(self.killed).collect()
    }
}

impl Row {
    fn new(sampler: String, share: impl Fn(Route) -> Option<f64>) -> Self {
        let counted = |route| (route, Counted { share: share(route), ..Counted::default() });
        let routes = Route::ALL.into_iter().map(counted).collect();
        Self { sampler, routes, failures: BTreeMap::new(), unplanned: Vec::new(), unexplained: 0, bytes: 0, cost: None }
    }
}

/// A stack with a sampler.
struct Lab {
    stack: Stack,
    receiver: Receiver,
    assignments: Vec<uuid::Uuid>,
    /// Holds the rules file.
    _folder: tempfile::TempDir,
    _strategies: Option<strategies::Server>,
}

impl Lab {
    async fn start(sampler: Sampler, with_kills: bool, cluster: &Cluster) -> anyhow::Result<Self> {
        let receiver = Receiver::start().await?;
        let strategies = match sampler {
            Sampler::Jaeger(strategy) => Some(strategies::Server::start(strategy).await?),
            _ => None,
        };
        let url = strategies.as_ref().map(strategies::Server::url).unwrap_or_default();
        let folder = tempfile::tempdir()?;
        let rules = folder.path().join("rules.yaml");
        if let Some(text) = sampler.rules() {
            std::fs::write(&rules, text)?;
        }
        let stack = start(sampler.environment(url, &rules), &receiver, with_kills, cluster).await?;
        if let Some(strategies) = &strategies {
            strategies.wait_until_followed_by(Service::Gateway.name(), IN_FORCE).await?;
        }
        if sampler.rules().is_some() {
            let in_use = |line: &serde_json::Value| line["message"] == "sampling rules are in use";
            stack.wait_for_log(Service::Gateway, IN_FORCE, in_use).await?;
        }
        stack.sms.respond_to(&phone(REFUSED_SITE), Behaviour::Refuse(400));
        stack.sms.respond_to(&phone(LATE_SITE), Behaviour::RefuseAfter(LATE));
        let population = Population { sites: SITES, nurses_per_site: 1, patients: PATIENTS, reports: 0 };
        let assignments = population.store(&mut stack.database.connect().await?).await?;
        Ok(Self { stack, receiver, assignments, _folder: folder, _strategies: strategies })
    }

    /// Sends a batch and waits until all of its spans have arrived. Adds the CPU time of the five services.
    async fn send(
        &mut self,
        batch: &[Request],
        plan: &Plan,
        cpu: &mut Duration,
    ) -> anyhow::Result<(Answers, Vec<Kill>)> {
        let gateway = self.stack.client();
        let patients = self.log_in(&gateway).await?;
        let before = services(|usage| usage.cpu)?;
        let (progress, watched) = watch::channel(0);
        let load = load::send(&gateway, &patients, batch, plan.clients, &progress);
        let every = plan.kill_every.map_or(usize::MAX, NonZeroUsize::get);
        let (answers, kills) = tokio::try_join!(load, kills::kill_every(every, batch.len(), &mut self.stack, watched))?;
        delivered(&self.stack).await?;
        self.receiver.wait_for_quiet(QUIET).await;
        *cpu += services(|usage| usage.cpu)?.saturating_sub(before);
        Ok((answers, kills))
    }

    /// Logs in again for each batch, because access tokens expire. Retries, because a busy machine may refuse a login.
    async fn log_in(&self, gateway: &Client) -> anyhow::Result<Vec<Patient>> {
        let end = Instant::now() + LOGINS;
        loop {
            match population::log_in(gateway, self.assignments.clone()).await {
                Err(_) if Instant::now() < end => {}
                done => return done,
            }
        }
    }

    /// Stops the stack, which exports the remaining spans. Returns how many spans were lost for lack of space.
    async fn stop(self) -> anyhow::Result<(Receiver, i64)> {
        let lost = |cause| self.stack.otlp.sum("otel.sdk.processor.span.processed", &[("error.type", cause)]);
        let lost = LOST.into_iter().map(lost).sum();
        self.stack.stop().await?;
        Ok((self.receiver, lost))
    }
}

async fn start(
    sampling: Vec<(&'static str, String)>,
    receiver: &Receiver,
    with_kills: bool,
    cluster: &Cluster,
) -> anyhow::Result<Stack> {
    let metrics = otlp::Receiver::start().await?;
    let mut builder = Stack::builder()
        .cluster(cluster.clone())
        .without_rate_limits()
        .env_all("EPRO_FAULT_INJECTION", "true")
        .env_all("EPRO_TELEMETRY__METRICS", "otlp")
        .env_all("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", metrics.endpoint())
        // More often than `QUIET`, so that the last values have arrived at the end.
        .env_all("OTEL_METRIC_EXPORT_INTERVAL", "500")
        .env_all("EPRO_TELEMETRY__ENDPOINT", receiver.endpoint())
        .receiver(metrics);
    if with_kills {
        builder = chaos::with_short_waits(builder, true);
    }
    for (name, value) in sampling {
        builder = builder.env_all(name, value);
    }
    builder.start().await
}

/// The phone number of the nurse of a site.
fn phone(site: u32) -> String {
    format!("+1555{site:07}")
}

/// The sum over the five services.
fn services<T: std::iter::Sum>(what: impl Fn(&Usage) -> T) -> anyhow::Result<T> {
    Ok(usage::of_children()?.iter().filter(|(name, _)| is_service(name)).map(|(_, usage)| what(usage)).sum())
}
