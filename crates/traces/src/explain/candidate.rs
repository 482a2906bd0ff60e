//! Possible causes, with their evidence.

use super::case::Case;
use crate::conventions::Role;

/// The kind of a dependency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Dependency {
    Http,
    Rpc,
    Database,
    Mail,
    Messaging,
    /// A service that is called in an unknown way.
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

/// The result of a trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cause {
    /// Everything went well, and fast.
    Healthy,
    /// Everything went well, but slowly.
    SlowButHealthy,
    /// The request was a mistake of the caller.
    Refused,
    /// The caller cancelled before the answer.
    ClientLeft,
    /// The network between the caller and the first service.
    EdgeNetwork,
    /// The first service rejected the request because of a limit.
    EdgeLimit,
    /// The network between two services.
    Network,
    /// A dependency or a service itself was too slow.
    Slow(Dependency),
    /// A dependency failed.
    Failed(Dependency),
    /// No connection of a pool was free.
    PoolFull,
    /// No connection could be opened.
    ConnectFailed,
    /// Another transaction held a lock.
    LockWait,
    /// The same call was retried many times.
    RetryStorm,
    /// A call was cut off because earlier work had used up the deadline.
    DeadlineUsedUpstream,
    /// A defect or a panic.
    Bug,
    /// A service had more work than it can do.
    Overload,
    /// A process died during the request, or was not running.
    ProcessGone,
    /// The trace is in several pieces, or spans are missing.
    BrokenChain,
    /// The trace was not sampled, and only some spans were kept.
    SampledOut,
    /// The answer was good, but asynchronous work after it failed.
    AsyncFailure,
    /// The trace does not show the cause.
    CannotTell,
}

impl Cause {
    /// An identifier for programs, such as `pool_full` or `slow_database`.
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

    /// Whether it is a failure that is not the caller's mistake.
    pub fn is_failure(self) -> bool {
        !matches!(self, Self::Healthy | Self::SlowButHealthy | Self::Refused | Self::SampledOut | Self::CannotTell)
    }

    /// Short advice on what to do.
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

/// One possible cause.
#[derive(Debug, Clone)]
pub(super) struct Candidate {
    pub(super) cause: Cause,
    /// The position of the guilty span.
    pub(super) at: usize,
    /// From 0 to 1.
    pub(super) weight: f64,
    /// Whether the evidence is that spans are missing. They may also have been lost.
    pub(super) rests_on_absence: bool,
    /// What happened, as a sentence for people. It begins with the subject and has no full stop.
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

    /// Marks the evidence as missing spans.
    pub(super) fn by_absence(mut self) -> Self {
        self.rests_on_absence = true;
        self
    }
}

/// A duration in a suitable unit: `5.0 s`, `120 ms`, `0.8 ms`.
pub(super) fn time(nanos: i64) -> String {
    let milliseconds = std::time::Duration::from_nanos(u64::try_from(nanos).unwrap_or(0)).as_secs_f64() * 1e3;
    match milliseconds {
        ms if ms >= 1_000.0 => format!("{:.1} s", ms / 1e3),
        ms if ms >= 10.0 => format!("{ms:.0} ms"),
        ms => format!("{ms:.1} ms"),
    }
}

/// A span in words: its service and name.
pub(super) fn named(case: &Case<'_>, at: usize) -> String {
    let span = case.span(at);
    format!("{} {} [{}]", span.service, shortened(&span.name), span.kind)
}

/// A name that is short enough to read.
pub(super) fn shortened(name: &str) -> String {
    const LONGEST: usize = 60;
    if name.chars().count() <= LONGEST {
        return name.to_owned();
    }
    name.chars().take(LONGEST - 1).chain(['…']).collect()
}
