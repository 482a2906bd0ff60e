//! What may have gone wrong, with what speaks for it.

use super::case::Case;
use crate::conventions::Role;

/// What a dependency is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Dependency {
    Http,
    Rpc,
    Database,
    Mail,
    Messaging,
    /// A service, and one does not see how it was asked.
    Service,
}

impl Dependency {
    pub(super) fn of(role: Role) -> Self {
        match role {
            Role::Http => Self::Http,
            Role::Rpc => Self::Rpc,
            Role::Database | Role::Pool => Self::Database,
            Role::Smtp => Self::Mail,
            Role::Messaging => Self::Messaging,
            Role::Queue | Role::Call | Role::Own => Self::Service,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Rpc => "rpc",
            Self::Database => "database",
            Self::Mail => "mail",
            Self::Messaging => "messaging",
            Self::Service => "service",
        }
    }
}

/// What a trace comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cause {
    /// All went well, and quickly.
    Healthy,
    /// All went well, and took long.
    SlowButHealthy,
    /// The request was the caller's own mistake.
    Refused,
    /// The caller did not wait for the answer.
    ClientLeft,
    /// Between the caller and the first service.
    EdgeNetwork,
    /// The first service turned the request away.
    EdgeLimit,
    /// Between two services.
    Network,
    /// Somebody who was asked, or a service itself, took too long.
    Slow(Dependency),
    /// Somebody who was asked has failed.
    Failed(Dependency),
    /// No connection of a pool was free.
    PoolFull,
    /// No connection came about.
    ConnectFailed,
    /// Somebody else held a lock.
    LockWait,
    /// The same call was tried again and again.
    RetryStorm,
    /// What was cut off in the end had no time left: others had used it.
    DeadlineUsedUpstream,
    /// A defect, or a panic.
    Bug,
    /// More work than a service takes.
    Overload,
    /// A process ended in the middle, or is not there.
    ProcessGone,
    /// Spans that belong together do not hang together, or are missing.
    BrokenChain,
    /// The trace was not to be kept, and this is what was kept all the same.
    SampledOut,
    /// The answer was fine; what went on after it was not.
    AsyncFailure,
    /// The trace does not say.
    CannotTell,
}

impl Cause {
    /// A word for programs, such as `pool_full` or `slow_database`.
    pub fn name(self) -> String {
        match self {
            Self::Slow(of) => format!("slow_{}", of.name()),
            Self::Failed(of) => format!("failed_{}", of.name()),
            Self::Healthy => "healthy".to_owned(),
            Self::SlowButHealthy => "slow_but_healthy".to_owned(),
            Self::Refused => "refused".to_owned(),
            Self::ClientLeft => "client_left".to_owned(),
            Self::EdgeNetwork => "edge_network".to_owned(),
            Self::EdgeLimit => "edge_limit".to_owned(),
            Self::Network => "network".to_owned(),
            Self::PoolFull => "pool_full".to_owned(),
            Self::ConnectFailed => "connect_failed".to_owned(),
            Self::LockWait => "lock_wait".to_owned(),
            Self::RetryStorm => "retry_storm".to_owned(),
            Self::DeadlineUsedUpstream => "deadline_used_upstream".to_owned(),
            Self::Bug => "bug".to_owned(),
            Self::Overload => "overload".to_owned(),
            Self::ProcessGone => "process_gone".to_owned(),
            Self::BrokenChain => "broken_chain".to_owned(),
            Self::SampledOut => "sampled_out".to_owned(),
            Self::AsyncFailure => "async_failure".to_owned(),
            Self::CannotTell => "cannot_tell".to_owned(),
        }
    }

    /// Whether something went wrong that is not the caller's own mistake.
    pub fn is_failure(self) -> bool {
        !matches!(self, Self::Healthy | Self::SlowButHealthy | Self::Refused | Self::SampledOut | Self::CannotTell)
    }

    /// What to do about it, in a few words.
    pub(super) fn advice(self) -> Option<&'static str> {
        match self {
            Self::Bug => Some("trying again will most likely not help"),
            Self::Refused => Some("the request has to be changed before it is sent again"),
            Self::EdgeLimit | Self::Overload | Self::RetryStorm => Some("it may be tried again, but later"),
            Self::ClientLeft
            | Self::EdgeNetwork
            | Self::Network
            | Self::Slow(_)
            | Self::Failed(_)
            | Self::PoolFull
            | Self::ConnectFailed
            | Self::LockWait
            | Self::DeadlineUsedUpstream
            | Self::ProcessGone => Some("it may be tried again"),
            _ => None,
        }
    }
}

/// One thing that may have gone wrong.
#[derive(Debug, Clone)]
pub(super) struct Candidate {
    pub(super) cause: Cause,
    /// The guilty span.
    pub(super) at: usize,
    /// From 0 to 1.
    pub(super) weight: f64,
    /// Whether it goes by what is not there, which may have been lost instead.
    pub(super) rests_on_absence: bool,
    /// What has happened, for people: begins with who, ends without a full stop.
    pub(super) sentence: String,
    pub(super) evidence: Vec<String>,
    pub(super) against: Vec<String>,
}

impl Candidate {
    pub(super) fn new(cause: Cause, at: usize, weight: f64, sentence: impl Into<String>) -> Self {
        let sentence = sentence.into();
        Self { cause, at, weight, rests_on_absence: false, sentence, evidence: Vec::new(), against: Vec::new() }
    }

    pub(super) fn because(mut self, evidence: impl Into<String>) -> Self {
        self.evidence.push(evidence.into());
        self
    }

    pub(super) fn but(mut self, against: impl Into<String>) -> Self {
        self.against.push(against.into());
        self
    }

    /// It goes by what is not there.
    pub(super) fn by_absence(mut self) -> Self {
        self.rests_on_absence = true;
        self
    }
}

/// A time in the unit that fits: `5.0 s`, `120 ms`, `0.8 ms`.
pub(super) fn time(nanos: i64) -> String {
    let milliseconds = std::time::Duration::from_nanos(u64::try_from(nanos).unwrap_or(0)).as_secs_f64() * 1e3;
    match milliseconds {
        ms if ms >= 1_000.0 => format!("{:.1} s", ms / 1e3),
        ms if ms >= 10.0 => format!("{ms:.0} ms"),
        ms => format!("{ms:.1} ms"),
    }
}

/// A span in words: who does what.
pub(super) fn named(case: &Case<'_>, at: usize) -> String {
    let span = case.span(at);
    format!("{} {} [{}]", span.service, shortened(&span.name), span.kind)
}

/// A name of a length that one reads.
pub(super) fn shortened(name: &str) -> String {
    const LONGEST: usize = 60;
    if name.chars().count() <= LONGEST {
        return name.to_owned();
    }
    name.chars().take(LONGEST - 1).chain(['…']).collect()
}
