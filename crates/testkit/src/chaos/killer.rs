use std::fmt;
use std::time::{Duration, SystemTime};

use fastrand::Rng;
use sqlx::PgConnection;
use tokio::time::{sleep, timeout};

use super::Plan;
use crate::postgres::Postgres;
use crate::stack::{Service, Stack};

/// How long a moment is waited for; then any moment will do.
const MOMENT: Duration = Duration::from_secs(2);

/// A process that dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Victim {
    Service(Service),
    Postgres,
}

impl fmt::Display for Victim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Service(service) => write!(f, "{service}"),
            Self::Postgres => f.write_str("postgres"),
        }
    }
}

/// One that has died.
#[derive(Debug, Clone, Copy)]
pub struct Kill {
    pub victim: Victim,
    pub at: SystemTime,
}

/// When to strike.
#[derive(Debug, Clone, Copy)]
enum Moment {
    Any,
    /// As soon as another report is committed: its answer is still on its way.
    AfterCommit,
    /// As soon as a provider has another message: its attempt is not recorded yet.
    AfterSend,
}

/// Kills, starts again, and so on.
pub(super) struct Killer {
    rng: Rng,
    kills: usize,
}

impl Killer {
    pub(super) fn new(plan: &Plan) -> Self {
        Self { rng: Rng::with_seed(plan.seed), kills: plan.kills }
    }

    pub(super) async fn run(mut self, stack: &mut Stack, postgres: &mut Postgres) -> anyhow::Result<Vec<Kill>> {
        let mut kills = Vec::new();
        for _ in 0..self.kills {
            let (moment, victim) = self.choose();
            self.wait_for(moment, stack).await;
            let at = SystemTime::now();
            let downtime = Duration::from_millis(self.rng.u64(0..200));
            match victim {
                Victim::Service(service) => {
                    stack.kill(service).await?;
                    sleep(downtime).await;
                    stack.restart(service).await?;
                }
                Victim::Postgres => {
                    postgres.crash().await?;
                    sleep(downtime).await;
                    postgres.start_again().await?;
                }
            }
            kills.push(Kill { victim, at });
        }
        Ok(kills)
    }

    fn choose(&mut self) -> (Moment, Victim) {
        const WRITERS: [Victim; 4] = [
            Victim::Service(Service::Gateway),
            Victim::Service(Service::EproSvc),
            Victim::Service(Service::DataSvc),
            Victim::Postgres,
        ];
        match self.rng.u8(0..4) {
            0 => (Moment::AfterCommit, WRITERS[self.rng.usize(..WRITERS.len())]),
            1 => (Moment::AfterSend, Victim::Service(Service::NotifySvc)),
            _ => {
                let service = Service::ALL.get(self.rng.usize(..=Service::ALL.len()));
                (Moment::Any, service.map_or(Victim::Postgres, |service| Victim::Service(*service)))
            }
        }
    }

    async fn wait_for(&mut self, moment: Moment, stack: &Stack) {
        sleep(Duration::from_millis(self.rng.u64(20..400))).await;
        // A moment that does not come, because too much is down, must not hold the run up.
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
