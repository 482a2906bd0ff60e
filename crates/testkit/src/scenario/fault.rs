//! What can go wrong in a scenario.

use std::time::Duration;

use anyhow::ensure;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::stack::Service;

/// Something that goes wrong. It lasts until the phone has its answer, or, where it meets nurses' messages or spans, until
/// the trace has been looked at.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// The value of the report's baggage member `demo.fault`, such as `user-svc/Authenticate:delay=30s`.
    Baggage(String),
    /// The network between phone and gateway.
    Network(Network),
    /// It does not run.
    Down(Part),
    /// It takes what it is sent and says nothing.
    Silent(Part),
    /// A service dies when another one has begun with the report's fault.
    Killed(Killed),
    /// Somebody else holds a lock.
    Lock(Lock),
    /// Other requests come at the same time.
    Crowd(Crowd),
    /// What the SMS provider does with messages.
    Sms(Sms),
    /// What the mail server does with mails.
    Mail(Mail),
    /// A service's clock is ahead.
    Clock(Clock),
    /// A service has been started with another setting.
    Misconfigured(Setting),
}

/// What the network between phone and gateway does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Network {
    /// It resets the connection once something is sent.
    Reset,
    /// It lets a byte through now and then.
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
    /// The service that it is, if it is one.
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

/// Who dies, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Killed {
    pub part: Part,
    /// The service that the report's baggage asks for a fault, by its name.
    pub when: Part,
}

/// A lock on a table.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Lock {
    /// With its schema, such as `clinical.report`.
    pub table: String,
    pub against: Against,
}

/// Whom a lock keeps waiting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Against {
    /// Who writes to the table.
    Writers,
    /// Everybody.
    All,
}

impl Lock {
    /// The statement that takes it, within a transaction.
    ///
    /// # Errors
    /// When the table's name is none.
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

/// Reads that come at the same time.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Crowd {
    pub path: String,
    pub requests: usize,
    /// The report is sent when so many statements wait for a lock.
    pub waiting: usize,
}

/// What the SMS provider does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Sms {
    /// 429, and wants nothing for an hour.
    TooManyRequests,
    /// Resets the connection.
    Reset,
    /// 400: the number is none.
    RejectNumber,
}

/// What the mail server does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Mail {
    /// It takes the text, and the answer does not come.
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
    /// Such as `OTEL_PROPAGATORS`. It has no value otherwise.
    pub variable: String,
    pub value: String,
}

impl Clock {
    pub(super) fn ahead(self) -> Duration {
        Duration::from_secs(self.ahead_seconds.into())
    }
}

impl Fault {
    /// Whether it goes on after the phone has its answer.
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
