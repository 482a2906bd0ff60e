//! The native stack for scenarios, and the ways to break it.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, bail};
use serde_json::Value;
use sqlx::{AssertSqlSafe, PgConnection};

use super::fault::{Fault, Mail, Part, Setting, Sms};
use super::system::{AN_HOUR, System, WAITING};
use crate::postgres::Postgres;
use crate::stack::{Builder, Peer, Service, Stack};
use crate::trace::Trace;
use crate::{sms, smtp};

/// Longer than anything waits for an answer.
const NEVER: Duration = Duration::from_mins(10);

/// The five services as processes, with a Postgres of their own.
#[derive(Debug)]
pub struct Native {
    pub(super) stack: Stack,
    postgres: Postgres,
    /// The connection that holds the lock.
    locker: Option<PgConnection>,
}

impl Native {
    pub(super) async fn start_on(postgres: Postgres, stack: Builder) -> anyhow::Result<Self> {
        let stack = stack
            .cluster(postgres.cluster())
            .proxied()
            .env_all("EPRO_FAULT_INJECTION", "true")
            .env(Service::Gateway, "EPRO_TELEMETRY__TRUST__INGRESS__TRACE", "continue")
            // Shorter than in production, because the scenario waits for it.
            .env(Service::NotifySvc, "EPRO_SMTP__ANSWER_TIMEOUT", "3s")
            .env(Service::NotifySvc, "EPRO_SWEEP__OVERDUE", "3s")
            .start()
            .await?;
        Ok(Self { stack, postgres, locker: None })
    }

    pub(super) fn into_parts(self) -> (Stack, Postgres) {
        (self.stack, self.postgres)
    }

    async fn down(&mut self, part: Part) -> anyhow::Result<()> {
        match (part, part.service()) {
            (_, Some(service)) => self.stack.kill(service).await?,
            (Part::Postgres, _) => self.postgres.crash().await?,
            (Part::MailServer, _) => self.stack.smtp.stop().await,
            (Part::SmsProvider, _) => self.stack.sms.stop().await,
            _ => self.stack.otlp.stop().await,
        }
        Ok(())
    }

    async fn up(&mut self, part: Part) -> anyhow::Result<()> {
        match (part, part.service()) {
            (_, Some(service)) => self.stack.restart(service).await,
            (Part::Postgres, _) => self.postgres.start_again().await,
            (Part::MailServer, _) => self.stack.smtp.start_again().await,
            (Part::SmsProvider, _) => self.stack.sms.start_again().await,
            _ => self.stack.otlp.start_again().await,
        }
    }

    async fn restart_with(&mut self, setting: &Setting, value: Option<&str>) -> anyhow::Result<()> {
        let service = setting.part.service().context("only services are configured")?;
        self.stack.restart_with(service, &setting.variable, value).await?;
        self.stack.wait_until_ready().await
    }

    fn fall_silent(&mut self, part: Part, silent: bool) -> anyhow::Result<()> {
        match (part, part.service()) {
            (_, Some(service)) if silent => self.stack.pause(service),
            (_, Some(service)) => self.stack.resume(service),
            (Part::Postgres, _) => {
                for service in [Service::UserSvc, Service::DataSvc] {
                    let proxy = self.stack.proxy(service, Peer::Postgres)?;
                    if silent { proxy.partition() } else { proxy.restore() }
                }
                Ok(())
            }
            _ => bail!("{part:?} cannot fall silent"),
        }
    }
}

impl System for Native {
    async fn start() -> anyhow::Result<Self> {
        let postgres = Postgres::builder().fsync(false).start().await?;
        postgres.cluster().create_template().await?;
        Self::start_on(postgres, Stack::builder()).await
    }

    async fn stop(self) -> anyhow::Result<()> {
        let Self { stack, mut postgres, .. } = self;
        stack.stop().await?;
        postgres.stop().await
    }

    async fn begin(&mut self, fault: &Fault) -> anyhow::Result<()> {
        match fault {
            Fault::Down(part) => self.down(*part).await?,
            Fault::Silent(part) => self.fall_silent(*part, true)?,
            Fault::Killed(killed) => self.down(killed.part).await?,
            Fault::Lock(lock) => {
                let mut locker = self.stack.database.connect().await?;
                let statement = format!("BEGIN; {}", lock.statement()?);
                sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut locker).await.context("lock")?;
                self.locker = Some(locker);
            }
            Fault::Sms(behaviour) => self.stack.sms.respond_with(match behaviour {
                Sms::TooManyRequests => sms::Behaviour::TooManyRequests { retry_after: AN_HOUR },
                Sms::Reset => sms::Behaviour::Disconnect,
                Sms::RejectNumber => sms::Behaviour::Refuse(400),
            }),
            Fault::Mail(Mail::Unanswered) => self.stack.smtp.respond_with(smtp::Behaviour::AcceptAfter(NEVER)),
            Fault::Clock(clock) => {
                let service = clock.part.service().context("only services make spans")?;
                self.stack.otlp.set_clock_ahead(service.name(), clock.ahead());
            }
            Fault::Misconfigured(setting) => self.restart_with(setting, Some(&setting.value)).await?,
            Fault::Baggage(_) | Fault::Network(_) | Fault::Crowd(_) => {}
        }
        Ok(())
    }

    async fn end(&mut self, fault: &Fault) -> anyhow::Result<()> {
        match fault {
            Fault::Down(part) => self.up(*part).await?,
            Fault::Silent(part) => self.fall_silent(*part, false)?,
            Fault::Killed(killed) => self.up(killed.part).await?,
            // Closing the connection rolls back its transaction, and that releases the lock.
            Fault::Lock(_) => drop(self.locker.take()),
            Fault::Sms(_) => self.stack.sms.respond_with(sms::Behaviour::Accept),
            Fault::Mail(_) => self.stack.smtp.respond_with(smtp::Behaviour::Accept),
            Fault::Clock(clock) => {
                let service = clock.part.service().context("only services make spans")?;
                self.stack.otlp.set_clock_ahead(service.name(), Duration::ZERO);
            }
            Fault::Misconfigured(setting) => self.restart_with(setting, None).await?,
            Fault::Baggage(_) | Fault::Network(_) | Fault::Crowd(_) => {}
        }
        Ok(())
    }

    async fn waiting(&self) -> anyhow::Result<usize> {
        let count: i64 = sqlx::query_scalar(WAITING).fetch_one(&mut self.stack.database.connect().await?).await?;
        Ok(usize::try_from(count)?)
    }

    fn gateway(&self) -> SocketAddr {
        self.stack.address(Service::Gateway)
    }

    fn otlp(&self) -> String {
        self.stack.otlp.http_endpoint()
    }

    async fn trace(&self, trace_id: &str) -> Trace {
        self.stack.otlp.trace(trace_id)
    }

    async fn logs(&self) -> anyhow::Result<Vec<Value>> {
        Ok(self.stack.all_logs().all())
    }

    fn link(&self, _: &str) -> Option<String> {
        None
    }
}
