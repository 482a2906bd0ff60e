//! The work of a system, and its faults.

/// Microseconds.
pub(super) type Micros = i64;
pub(super) const MS: Micros = 1_000;

/// An operation. Operations run in this order.
#[derive(Debug, Clone)]
pub(super) struct Op {
    pub(super) what: What,
    pub(super) fault: Option<Fault>,
}

#[derive(Debug, Clone)]
pub(super) enum What {
    /// The service's own work, with or without a span of its own.
    Own { name: Option<&'static str>, time: Micros },
    /// A call to another service. It is tried at most `tries` times.
    Call { rpc: bool, to: usize, method: &'static str, tries: u32, body: Vec<Op> },
    /// A call to a dependency without spans.
    Outside { by: Outside, peer: &'static str, time: Micros, optional: bool },
    /// A connection and statements on it.
    Database { wait: Micros, statements: Vec<(&'static str, Micros)> },
    /// A message that is processed later.
    Publish { to: usize, body: Vec<Op> },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outside {
    Http,
    Rpc,
    Smtp,
}

/// A fault at one place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// It takes this much longer.
    Slow(Micros),
    /// It waits this much longer for a pool, a lock or a turn.
    Wait(Micros),
    /// It fails in one of several ways.
    Fail(u32),
    Refuse(u32),
    Panic,
    Connect,
    Lock(u32),
    Exhausted,
    /// The callee dies after a part of its work.
    Gone,
    /// The callee's answer is lost.
    Lost,
}

/// How an operation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Well,
    Deadline,
    Cancelled,
    Unavailable,
    Exhausted,
    Internal,
    Refused(u32),
}

/// The deadline of work, and the outcome when it is cut off.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limit {
    pub(super) at: Micros,
    pub(super) outcome: Outcome,
}
