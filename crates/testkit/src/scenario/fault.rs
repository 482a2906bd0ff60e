//! The faults of a scenario.

use std::time::Duration;

use anyhow::ensure;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::stack::Service;

/// A fault. It lasts until the phone has its answer. A fault of the nurses' messages or of spans lasts until the trace
/// has been read.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// The value of the report's baggage member `demo.fault`, such as `user-svc/Authenticate:delay=30s`.
    Baggage(String),
    /// A fault of the network between the phone and the gateway.
    Network(Network),
    /// A part does not run.
    Down(Part),
    /// A part accepts what it is sent and does not answer.
    Silent(Part),
    /// A service is killed as soon as another one begins the report's fault from the baggage.
    Killed(Killed),
    /// Another session holds a lock.
    Lock(Lock),
    /// Other requests run at the same time.
    Crowd(Crowd),
    /// The behaviour of the SMS provider.
    Sms(Sms),
    /// The behaviour of the mail server.
    Mail(Mail),
    /// The clock of a service is ahead.
    Clock(Clock),
    /// A service is started with another setting.
    Misconfigured(Setting),
}

/// The behaviour of the network between the phone and the gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Network {
    /// Resets the connection as soon as something is sent.
    Reset,
    /// Forwards one byte every 250 ms.
    Slow,
}

/// A part of the stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    UserSvc,
    EproSvc,
    DataSvc,
    NotifySvc,
    Postgres,
    MailServer,
    SmsProvider,
    Collector,
}

impl Part {
    /// The service, if this part is one.
    pub fn service(self) -> Option<Service> {
        match self {
            Self::UserSvc => Some(Service::UserSvc),
            Self::EproSvc => Some(Service::EproSvc),
            Self::DataSvc => Some(Service::DataSvc),
            Self::NotifySvc => Some(Service::NotifySvc),
            Self::Postgres | Self::MailServer | Self::SmsProvider | Self::Collector => None,
        }
    }
}

/// Which service is killed, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Killed {
    pub part: Part,
    /// The service whose fault, from the report's baggage, is the moment to kill.
    pub when: Part,
}

/// A lock on a table.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Lock {
    /// The table with its schema, such as `clinical.report`.
    pub table: String,
    pub against: Against,
}

/// Which statements a lock blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Against {
    /// Statements that write to the table.
    Writers,
    /// All statements on the table.
    All,
}

impl Lock {
    /// The statement that takes the lock, within a transaction.
    ///
    /// # Errors
    /// When the table's name is invalid.
    pub(super) fn statement(&self) -> anyhow::Result<String> {
        let is_name = self.table.bytes().all(|byte| byte.is_ascii_lowercase() || b"._".contains(&byte));
        ensure!(is_name, "{} is no table", self.table);
        let mode = match self.against {
            Against::Writers => "EXCLUSIVE",
            Against::All => "ACCESS EXCLUSIVE",
        };
        Ok(format!("LOCK TABLE {} IN {mode} MODE", self.table))
    }
}

/// Reads that run at the same time as the report.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Crowd {
    pub path: String,
    pub requests: usize,
    /// The report is sent as soon as this many statements wait for a lock.
    pub waiting: usize,
}

/// The behaviour of the SMS provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Sms {
    /// Answers 429 with a `Retry-After` of an hour.
    TooManyRequests,
    /// Resets the connection.
    Reset,
    /// Answers 400: the number is invalid.
    RejectNumber,
}

/// The behaviour of the mail server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Mail {
    /// Accepts the text of a mail and does not answer.
    Unanswered,
}

/// A clock that is ahead of the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Clock {
    pub part: Part,
    pub ahead_seconds: u32,
}

/// A variable of a service's environment.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Setting {
    pub part: Part,
    /// The variable's name, such as `OTEL_PROPAGATORS`. The service must not have another value for it.
    pub variable: String,
    pub value: String,
}

impl Clock {
    pub(super) fn ahead(self) -> Duration {
        Duration::from_secs(self.ahead_seconds.into())
    }
}

impl Fault {
    /// Whether the fault continues after the phone has its answer.
    pub(super) fn outlasts_the_answer(&self) -> bool {
        matches!(
            self,
            Self::Sms(_)
                | Self::Mail(_)
                | Self::Clock(_)
                | Self::Down(Part::MailServer | Part::SmsProvider | Part::Collector)
        )
    }
}
