//! A chaos test: a steady load on two copies of each service, which are killed or partitioned from their peers one
//! after the other. Afterwards nothing may be lost or stored twice, every notification must be delivered, every audit
//! chain must be complete, and all of it without intervention.
//!
//! The same seed gives the same faults, moments and pauses. Which requests they hit depends on the machine.

mod copies;
mod fault;
mod ledger;
pub(crate) mod orphans;
mod phone;
mod recovery;
mod verdict;

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::ensure;
use futures_util::future::join_all;
use migrations::demo::PATIENTS;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::postgres::Postgres;
use crate::stack::{Builder, Service, Stack};
use copies::Copies;
use fault::FaultInjector;
pub use fault::{Fault, Incident};
use ledger::Ledger;
pub use verdict::Verdict;

/// The most time from the end of the load to its last answer.
const LAST_ANSWER: Duration = Duration::from_mins(1);

/// A plan of faults.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The number of faults.
    pub faults: usize,
    /// Decides which faults happen, and when.
    pub seed: u64,
    /// Patients who submit one report after the other.
    pub phones: usize,
    /// Whether notify-svc sweeps for notifications whose hint was lost. Without the sweeper some must get stuck; this
    /// shows that the check can fail.
    pub sweeper: bool,
    /// How long everything may take to recover after the end of a partition.
    pub recovery: Duration,
    /// How long all deliveries may take after the load.
    pub settle: Duration,
}

/// Carries out a plan on a Postgres and a stack of its own.
///
/// # Errors
/// When the stack cannot be started, or does not come back after a fault. Lost reports are no error, but part of the
/// verdict.
pub async fn run(plan: &Plan) -> anyhow::Result<Verdict> {
    ensure!(plan.phones > 0, "without phones there is nothing to lose");
    let start = Instant::now();
    let mut postgres = Postgres::builder().start().await?;
    postgres.cluster().create_template().await?;
    let stack = with_short_waits(Stack::builder().proxied().cluster(postgres.cluster()), plan.sweeper).start().await?;
    let mut copies = Copies::beside(stack).await?;

    let ledger = Arc::new(Ledger::default());
    let (stop, stopped) = watch::channel(false);
    let phones: Vec<_> = (0..plan.phones)
        .map(|index| {
            let patient = &PATIENTS[index % PATIENTS.len()];
            let seed = plan.seed.wrapping_add(1 + index as u64);
            tokio::spawn(phone::run(copies.clients(), patient, seed, Arc::clone(&ledger), stopped.clone()))
        })
        .collect();
    let incidents = FaultInjector::new(plan, &ledger).run(&mut copies, &mut postgres).await?;
    copies.stack.wait_until_ready().await?;
    stop.send_replace(true);
    let ended = timeout(LAST_ANSWER, join_all(phones)).await;
    ensure!(ended.is_ok(), "some phones have no answer {LAST_ANSWER:?} after the last fault");

    let mut verdict = verdict::judge(&mut copies, &ledger, incidents, plan).await?;
    copies.stack.stop().await?;
    postgres.stop().await?;
    verdict.took = start.elapsed();
    Ok(verdict)
}

/// Sets short timeouts and leases, so that many of them end during a run.
pub(crate) fn with_short_waits(builder: Builder, sweeper: bool) -> Builder {
    // A service sweeps once at its start, whatever the interval. So without a sweeper nothing may be overdue by then.
    let (sweep, overdue) = if sweeper { ("200ms", "1s") } else { ("1h", "1h") };
    [
        (Service::NotifySvc, "EPRO_SWEEP__INTERVAL", sweep),
        (Service::NotifySvc, "EPRO_SWEEP__OVERDUE", overdue),
        (Service::NotifySvc, "EPRO_DELIVERY__LEASE", "24s"),
        (Service::NotifySvc, "EPRO_USER_SVC__TIMEOUT", "2s"),
        (Service::NotifySvc, "EPRO_DATA_SVC__TIMEOUT", "2s"),
        (Service::NotifySvc, "EPRO_SMS__TIMEOUT", "1s"),
        (Service::NotifySvc, "EPRO_SMS__ANSWER_TIMEOUT", "2s"),
        (Service::NotifySvc, "EPRO_SMTP__TIMEOUT", "1s"),
        (Service::NotifySvc, "EPRO_SMTP__ANSWER_TIMEOUT", "2s"),
        (Service::NotifySvc, "EPRO_DELIVERY__BACKOFF__BASE", "100ms"),
        (Service::NotifySvc, "EPRO_DELIVERY__BACKOFF__CAP", "1s"),
        (Service::NotifySvc, "EPRO_DELIVERY__UNCERTAIN__BASE", "1s"),
        (Service::NotifySvc, "EPRO_DELIVERY__URGENT_UNCERTAIN__BASE", "1s"),
        (Service::NotifySvc, "EPRO_DELIVERY__SEED", "1"),
        (Service::DataSvc, "EPRO_AUDIT__SEAL_EVERY", "1s"),
    ]
    .into_iter()
    .fold(builder, |builder, (service, name, value)| builder.env(service, name, value))
}
