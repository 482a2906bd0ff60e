//! What a system is to do, and what goes wrong in it.

/// Microseconds.
pub(super) type Micros = i64;
pub(super) const MS: Micros = 1_000;

/// What is done, in this order.
#[derive(Debug, Clone)]
pub(super) struct Op {
    pub(super) what: What,
    pub(super) fault: Option<Fault>,
}

#[derive(Debug, Clone)]
pub(super) enum What {
    /// A service's own work, in a span of its own or not.
    Own { name: Option<&'static str>, time: Micros },
    /// One service asks another; after an error as often again as `tries` says.
    Call { rpc: bool, to: usize, method: &'static str, tries: u32, body: Vec<Op> },
    /// Somebody is asked who makes no spans.
    Outside { by: Outside, peer: &'static str, time: Micros, optional: bool },
    /// A connection and statements on it.
    Database { wait: Micros, statements: Vec<(&'static str, Micros)> },
    /// Somebody works on it later.
    Publish { to: usize, body: Vec<Op> },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outside {
    Http,
    Rpc,
    Smtp,
}

/// What goes wrong at a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// It takes this much longer.
    Slow(Micros),
    /// It takes longer because of what it waits for: a pool, a lock, a turn.
    Wait(Micros),
    /// It fails, in one of some ways.
    Fail(u32),
    Refuse(u32),
    Panic,
    Connect,
    Lock(u32),
    Exhausted,
    /// The callee is gone after a part of its work.
    Gone,
    /// The callee's answer does not arrive.
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

/// Until when work goes on, and how it is called when it is cut off.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limit {
    pub(super) at: Micros,
    pub(super) outcome: Outcome,
}
