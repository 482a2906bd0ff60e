//! Random systems with a fault at a random place.

use fastrand::Rng;

use super::faults::{Guilty, put, tear, weaken};
use super::instruments::Instruments;
use super::plan::{Fault, Limit, MS, Micros, Op, Outcome, Outside, What};
use super::system::System;
use crate::explain::{Cause, Dependency};
use crate::{Span, Trace};

/// A trace and its true cause.
pub(super) struct Example {
    pub(super) trace: Trace,
    pub(super) truth: Truth,
}

#[derive(Debug, Clone)]
pub(super) struct Truth {
    pub(super) cause: Cause,
    /// Another acceptable cause, because the trace cannot distinguish the two.
    pub(super) or: Option<Cause>,
    pub(super) guilty: Guilty,
}

pub(super) const FAILURES: [Cause; 23] = [
    Cause::ClientLeft,
    Cause::EdgeNetwork,
    Cause::EdgeLimit,
    Cause::Network,
    Cause::Slow(Dependency::Http),
    Cause::Slow(Dependency::Rpc),
    Cause::Slow(Dependency::Database),
    Cause::Slow(Dependency::Mail),
    Cause::Slow(Dependency::Service),
    Cause::Failed(Dependency::Http),
    Cause::Failed(Dependency::Rpc),
    Cause::Failed(Dependency::Database),
    Cause::Failed(Dependency::Mail),
    Cause::PoolFull,
    Cause::ConnectFailed,
    Cause::LockWait,
    Cause::RetryStorm,
    Cause::DeadlineUsedUpstream,
    Cause::Bug,
    Cause::Overload,
    Cause::ProcessGone,
    Cause::BrokenChain,
    Cause::AsyncFailure,
];

const NAMES: [&str; 8] = ["front", "orders", "stock", "users", "prices", "billing", "search", "ledger"];
const METHODS: [&str; 5] =
    ["orders.v1.Orders/Place", "stock.v1.Stock/Take", "users.v1.Users/Get", "prices.v1.Prices/Of", "x.v1.X/Do"];
const PEERS: [&str; 3] = ["pay.example", "maps.example", "bank.example"];
const STATEMENTS: [&str; 6] =
    ["SELECT cart", "SELECT person", "INSERT orders", "UPDATE stock", "SELECT price", "UPDATE ledger"];

fn op(what: What) -> Op {
    Op { what, fault: None }
}

pub(super) fn between(rng: &mut Rng, from: Micros, to: Micros) -> Micros {
    rng.i64(from..=to)
}

/// The work of a service at a depth.
fn body(rng: &mut Rng, services: usize, depth: usize) -> Vec<Op> {
    let mut ops = Vec::new();
    for _ in 0..rng.usize(if depth == 0 { 2..=4 } else { 1..=3 }) {
        let time = between(rng, 200, 5 * MS);
        let peer = PEERS[rng.usize(0..PEERS.len())];
        ops.push(op(match rng.u32(0..10) {
            0..=3 if depth < 3 && services > 1 => What::Call {
                rpc: rng.u32(0..3) > 0,
                to: rng.usize(1..services),
                method: METHODS[rng.usize(0..METHODS.len())],
                tries: if rng.u32(0..5) == 0 { 2 } else { 1 },
                body: body(rng, services, depth + 1),
            },
            4 => What::Own { name: rng.bool().then_some("validate"), time },
            5 => What::Outside { by: Outside::Http, peer, time: time * 8, optional: rng.u32(0..4) == 0 },
            6 => What::Outside { by: Outside::Smtp, peer: "mail.example", time: time * 8, optional: false },
            7 if rng.bool() => What::Outside { by: Outside::Rpc, peer: "bank", time: time * 8, optional: false },
            _ if depth == 0 => What::Own { name: Some("render"), time },
            _ => database(rng),
        }));
    }
    if depth > 0 && rng.u32(0..6) == 0 {
        ops.push(op(What::Publish { to: rng.usize(0..services), body: body(rng, services, 3) }));
    }
    ops
}

fn database(rng: &mut Rng) -> What {
    let statements = (0..rng.usize(1..=4)).map(|_| (STATEMENTS[rng.usize(0..6)], between(rng, 300, 8 * MS))).collect();
    What::Database { wait: between(rng, 5, 300), statements }
}

/// Calls `visit` for each operation, with the service and whether the answer waits for it.
pub(super) fn each(ops: &mut [Op], service: usize, waited: bool, visit: &mut dyn FnMut(&mut Op, usize, bool)) {
    for op in ops {
        visit(op, service, waited);
        match &mut op.what {
            What::Call { to, body, .. } => each(body, *to, waited, visit),
            What::Publish { to, body } => each(body, *to, false, visit),
            _ => {}
        }
    }
}

/// The system and the request, before a fault is added.
pub(super) struct Scene {
    pub(super) names: Vec<String>,
    pub(super) ops: Vec<Op>,
    pub(super) budget: Micros,
    is_new: bool,
    travels: bool,
    pub(super) app: bool,
    skew: Vec<Micros>,
    pub(super) root: Option<Fault>,
    pub(super) leaves: Option<Micros>,
}

impl Scene {
    fn new(rng: &mut Rng) -> Self {
        let count = rng.usize(2..=NAMES.len());
        let skewed = rng.u32(0..3) == 0;
        Self {
            names: NAMES[..count].iter().map(|name| (*name).to_owned()).collect(),
            ops: body(rng, count, 0),
            budget: between(rng, 1_500, 9_000) * MS,
            is_new: rng.bool(),
            travels: rng.u32(0..3) > 0,
            app: rng.u32(0..4) == 0,
            skew: (0..count).map(|_| if skewed { between(rng, -30 * MS, 30 * MS) } else { 0 }).collect(),
            root: None,
            leaves: None,
        }
    }

    pub(super) fn run(&self, rng: &mut Rng) -> (Vec<Span>, Outcome) {
        let write = Instruments::new(rng, self.is_new, self.names.clone(), self.skew.clone());
        let limit = match self.leaves {
            Some(at) => Limit { at, outcome: Outcome::Cancelled },
            None => Limit { at: self.budget, outcome: Outcome::Deadline },
        };
        System::new(write, self.travels).request(&self.ops, self.root, limit, self.app)
    }
}

/// An example of a cause.
pub(super) fn example(rng: &mut Rng, cause: Cause) -> Example {
    loop {
        if let Some(example) = attempt(rng, cause, false) {
            return example;
        }
    }
}

/// An example of a cause, with an additional weaker fault of another kind.
pub(super) fn double(rng: &mut Rng, cause: Cause) -> Example {
    loop {
        if let Some(example) = attempt(rng, cause, true) {
            return example;
        }
    }
}

fn attempt(rng: &mut Rng, cause: Cause, is_double: bool) -> Option<Example> {
    let mut scene = Scene::new(rng);
    if is_double {
        weaken(rng, &mut scene)?;
    }
    let guilty = put(rng, &mut scene, cause)?;
    let (mut spans, outcome) = scene.run(rng);
    if cause == Cause::BrokenChain {
        tear(rng, &mut spans)?;
    }
    // The fault must have been reached and be the one that the caller saw.
    let is_seen = match cause {
        Cause::Healthy | Cause::SlowButHealthy | Cause::BrokenChain | Cause::AsyncFailure => outcome == Outcome::Well,
        Cause::EdgeNetwork => true,
        Cause::ClientLeft => outcome == Outcome::Cancelled,
        Cause::Refused => matches!(outcome, Outcome::Refused(_)),
        Cause::DeadlineUsedUpstream | Cause::Slow(_) => outcome == Outcome::Deadline,
        // When a wait for a lock exceeds the deadline, no span mentions the lock.
        Cause::RetryStorm | Cause::LockWait => !matches!(outcome, Outcome::Well | Outcome::Deadline),
        _ => !matches!(outcome, Outcome::Well | Outcome::Refused(_)),
    };
    let or = (cause == Cause::ProcessGone).then_some(Cause::Failed(Dependency::Http));
    is_seen.then(|| Example { trace: Trace::new(spans), truth: Truth { cause, or, guilty } })
}
