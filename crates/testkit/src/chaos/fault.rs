use std::fmt;
use std::time::{Duration, Instant, SystemTime};

use fastrand::Rng;
use sqlx::PgConnection;
use tokio::time::{sleep, timeout};

use super::copies::{COPIES, Copies};
use super::ledger::Ledger;
use super::{Plan, recovery};
use crate::postgres::Postgres;
use crate::stack::{Peer, Service, Stack};

/// How long to wait for a chosen moment. After that the fault happens at any moment.
const MOMENT: Duration = Duration::from_secs(2);
/// How long a partition lasts, in milliseconds.
const SILENCE: std::ops::Range<u64> = 500..6000;

/// A fault to inject.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// Kills a copy of a service.
    Kill(Service),
    /// Kills Postgres.
    KillPostgres,
    /// Partitions a copy of a service from a peer for a while: nothing is forwarded, and neither side gets an error.
    Partition(Service, Peer),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kill(service) => write!(f, "{service} killed"),
            Self::KillPostgres => f.write_str("Postgres killed"),
            Self::Partition(service, peer) => write!(f, "{service} cut off from {peer}"),
        }
    }
}

/// A fault that was injected.
#[derive(Debug, Clone, Copy)]
pub struct Incident {
    pub fault: Fault,
    pub at: SystemTime,
    /// The time from the end of a partition until everything worked again. `None` if it did not, and for other faults.
    pub recovery: Option<Duration>,
}

/// The moment at which a fault is injected.
#[derive(Debug, Clone, Copy)]
enum Moment {
    Any,
    /// As soon as another report is committed, while its answer is still on its way.
    AfterCommit,
    /// As soon as a provider has received another message, before its attempt is recorded.
    AfterSend,
}

/// Injects faults one after the other, and repairs each before the next.
pub(super) struct FaultInjector<'l> {
    rng: Rng,
    faults: usize,
    ledger: &'l Ledger,
}

impl<'l> FaultInjector<'l> {
    pub(super) fn new(plan: &Plan, ledger: &'l Ledger) -> Self {
        Self { rng: Rng::with_seed(plan.seed), faults: plan.faults, ledger }
    }

    pub(super) async fn run(mut self, copies: &mut Copies, postgres: &mut Postgres) -> anyhow::Result<Vec<Incident>> {
        let mut incidents = Vec::new();
        for _ in 0..self.faults {
            let (moment, fault) = self.choose();
            self.wait_for(moment, &copies.stack).await;
            let at = SystemTime::now();
            let recovery = self.inject(fault, copies, postgres).await?;
            incidents.push(Incident { fault, at, recovery });
        }
        Ok(incidents)
    }

    /// Injects a fault and repairs it. Returns how long the recovery from a partition took.
    async fn inject(
        &mut self,
        fault: Fault,
        copies: &mut Copies,
        postgres: &mut Postgres,
    ) -> anyhow::Result<Option<Duration>> {
        let (copy, downtime) = (self.rng.usize(..COPIES), Duration::from_millis(self.rng.u64(..200)));
        match fault {
            Fault::Kill(service) => {
                copies.kill(service, copy).await?;
                sleep(downtime).await;
                copies.restart(service, copy).await?;
            }
            Fault::KillPostgres => {
                postgres.crash().await?;
                sleep(downtime).await;
                postgres.start_again().await?;
            }
            Fault::Partition(service, peer) => {
                let proxy = copies.proxy(service, copy, peer)?;
                proxy.partition();
                sleep(Duration::from_millis(self.rng.u64(SILENCE))).await;
                proxy.restore();
                return recovery::wait(copies, self.ledger, proxy, Instant::now()).await;
            }
        }
        Ok(None)
    }

    fn choose(&mut self) -> (Moment, Fault) {
        const WRITERS: [Fault; 4] = [
            Fault::Kill(Service::Gateway),
            Fault::Kill(Service::EproSvc),
            Fault::Kill(Service::DataSvc),
            Fault::KillPostgres,
        ];
        match self.rng.u8(0..8) {
            0 => (Moment::AfterCommit, WRITERS[self.rng.usize(..WRITERS.len())]),
            1 => (Moment::AfterSend, Fault::Kill(Service::NotifySvc)),
            2..=4 => {
                let service = Service::ALL.get(self.rng.usize(..=Service::ALL.len()));
                (Moment::Any, service.map_or(Fault::KillPostgres, |service| Fault::Kill(*service)))
            }
            _ => (Moment::Any, self.partition()),
        }
    }

    fn partition(&mut self) -> Fault {
        let pairs: Vec<_> = Service::ALL
            .into_iter()
            .flat_map(|service| service.connections().into_iter().map(move |(peer, _)| Fault::Partition(service, peer)))
            .collect();
        pairs[self.rng.usize(..pairs.len())]
    }

    async fn wait_for(&mut self, moment: Moment, stack: &Stack) {
        sleep(Duration::from_millis(self.rng.u64(20..400))).await;
        // The moment may not come, because too much is down. The run goes on without it.
        let _ = match moment {
            Moment::Any => return,
            Moment::AfterCommit => timeout(MOMENT, commit(stack)).await,
            Moment::AfterSend => timeout(MOMENT, send(stack)).await,
        };
    }
}

async fn commit(stack: &Stack) -> anyhow::Result<()> {
    let mut database = stack.database.connect().await?;
    let before = reports(&mut database).await?;
    while reports(&mut database).await? == before {}
    Ok(())
}

async fn reports(database: &mut PgConnection) -> anyhow::Result<i64> {
    Ok(sqlx::query_scalar("SELECT count(*) FROM clinical.idempotency").fetch_one(database).await?)
}

async fn send(stack: &Stack) -> anyhow::Result<()> {
    let (messages, mails) = (stack.sms.journal(), stack.smtp.journal());
    let (sent, mailed) = (messages.all().len(), mails.all().len());
    tokio::select! {
        sent = messages.wait_until(MOMENT, |messages| messages.len() > sent) => sent.map(drop),
        mailed = mails.wait_until(MOMENT, |mails| mails.len() > mailed) => mailed.map(drop),
    }
}
