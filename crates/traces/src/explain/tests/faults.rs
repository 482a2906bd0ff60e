//! Faults, and how they are put into a plan.

use fastrand::Rng;

use super::generate::{Scene, between, each};
use super::plan::{Fault, MS, Micros, Op, Outside, What};
use crate::explain::{Cause, Dependency};
use crate::{Kind, Span};

/// The services that may be blamed. Empty if the cause blames none.
pub(super) type Guilty = Vec<String>;

/// A place for a fault.
#[derive(Clone, Copy)]
enum Where {
    Outside(Outside),
    Database,
    /// A writing statement.
    Update,
    Call,
    /// A service's own work: of the first service, of the others, or of any.
    Own(Option<bool>),
    /// A call with this many attempts.
    Tries(u32),
    /// Anything that takes time.
    Anything,
    /// Work that the answer does not wait for.
    Afterwards,
    /// A call whose failure the caller tolerates.
    Optional,
}

impl Where {
    /// Whether the operation is such a place. Prepares it for the fault and returns the guilty service.
    fn fits(self, op: &mut Op, owner: usize, waited: bool, names: &[String]) -> Option<String> {
        if waited == matches!(self, Self::Afterwards) {
            return None;
        }
        let service = |service: usize| Some(names[service].clone());
        match (&mut op.what, self) {
            (What::Outside { by, peer, optional: false, .. }, Self::Outside(kind)) if *by == kind => {
                Some((*peer).to_owned())
            }
            (What::Outside { peer, optional: false, .. }, Self::Anything | Self::Afterwards) => {
                Some((*peer).to_owned())
            }
            (What::Outside { peer, optional: true, .. }, Self::Optional) => Some((*peer).to_owned()),
            (What::Database { .. }, Self::Database | Self::Afterwards)
            | (What::Database { .. } | What::Own { .. }, Self::Anything) => service(owner),
            (What::Database { statements, .. }, Self::Update) => {
                statements.last_mut()?.0 = "UPDATE stock";
                service(owner)
            }
            (What::Call { to, .. }, Self::Call) => service(*to),
            (What::Call { to, tries, .. }, Self::Tries(count)) => {
                *tries = count;
                service(*to)
            }
            (What::Own { .. }, Self::Own(first)) if first.is_none_or(|first| first == (owner == 0)) => service(owner),
            _ => None,
        }
    }
}

/// Puts a fault at a random place. Returns the guilty service, or `None` if there is no such place.
fn inject(rng: &mut Rng, ops: &mut [Op], names: &[String], at: Where, fault: Fault) -> Option<String> {
    let mut count = 0;
    each(ops, 0, true, &mut |op, service, waited| {
        count += usize::from(op.fault.is_none() && at.fits(&mut op.clone(), service, waited, names).is_some());
    });
    let chosen = if count == 0 { return None } else { rng.usize(0..count) };
    let (mut seen, mut guilty) = (0, None);
    each(ops, 0, true, &mut |op, service, waited| {
        let mut changed = Op { fault: Some(fault), ..op.clone() };
        if let Some(name) = at.fits(&mut changed, service, waited, names).filter(|_| op.fault.is_none()) {
            if seen == chosen {
                *op = changed;
                guilty = Some(name);
            }
            seen += 1;
        }
    });
    guilty
}

/// Puts a cause into a scene. `None` if there is no place for it.
pub(super) fn put(rng: &mut Rng, scene: &mut Scene, cause: Cause) -> Option<Guilty> {
    let nobody = Guilty::new();
    match cause {
        Cause::Healthy | Cause::BrokenChain => Some(nobody),
        Cause::ClientLeft => {
            let took = scene.run(&mut rng.fork()).0.iter().map(|span| span.end - span.start).max()?;
            scene.leaves = Some(i64::try_from(took).ok()? / 1_000 * between(rng, 20, 85) / 100);
            scene.app = false;
            Some(nobody)
        }
        Cause::EdgeNetwork => {
            let ways = [(true, Fault::Lost), (true, Fault::Connect), (false, Fault::Slow(0))];
            let (app, fault) = ways[rng.usize(0..ways.len())];
            (scene.app, scene.root) = (app, Some(fault));
            Some(nobody)
        }
        Cause::EdgeLimit => {
            scene.root = Some(if rng.u32(0..4) == 0 { Fault::Fail(1) } else { Fault::Exhausted });
            Some(vec![scene.names[0].clone()])
        }
        Cause::Refused if rng.u32(0..3) == 0 => {
            scene.root = Some(Fault::Refuse(rng.u32(0..60)));
            Some(vec![scene.names[0].clone()])
        }
        Cause::DeadlineUsedUpstream => upstream(rng, scene).map(|name| vec![name]),
        Cause::SlowButHealthy => {
            scene.budget = 30_000 * MS;
            let more = Fault::Slow(between(rng, 1_100, 15_000) * MS);
            scene_inject(rng, scene, Where::Anything, more).map(|_| nobody)
        }
        _ => {
            let (at, fault) = place(rng, cause, scene.budget * 2);
            let guilty = scene_inject(rng, scene, at, fault)?;
            // A network failure blames no service.
            Some(if cause == Cause::Network { nobody } else { vec![guilty] })
        }
    }
}

fn scene_inject(rng: &mut Rng, scene: &mut Scene, at: Where, fault: Fault) -> Option<String> {
    inject(rng, &mut scene.ops, &scene.names, at, fault)
}

/// The place and the fault for a cause. `long` exceeds the deadline.
fn place(rng: &mut Rng, cause: Cause, long: Micros) -> (Where, Fault) {
    let way = rng.u32(0..60);
    let (slow, wait, fail) = (Fault::Slow(long), Fault::Wait(long), Fault::Fail(way));
    let choices = match cause {
        Cause::Network => vec![(Where::Call, Fault::Lost)],
        Cause::Slow(Dependency::Http) => vec![(Where::Outside(Outside::Http), slow)],
        Cause::Slow(Dependency::Mail) => vec![(Where::Outside(Outside::Smtp), slow)],
        Cause::Slow(Dependency::Rpc) => vec![(Where::Outside(Outside::Rpc), slow)],
        Cause::Slow(Dependency::Service) => vec![(Where::Own(Some(true)), slow)],
        Cause::Slow(_) => vec![(Where::Database, slow)],
        Cause::Failed(Dependency::Http) => vec![(Where::Outside(Outside::Http), fail)],
        Cause::Failed(Dependency::Rpc) => vec![(Where::Outside(Outside::Rpc), fail)],
        Cause::Failed(Dependency::Mail) => vec![(Where::Outside(Outside::Smtp), fail)],
        Cause::Failed(_) => vec![(Where::Database, fail)],
        Cause::PoolFull => vec![(Where::Database, wait)],
        Cause::LockWait => vec![(Where::Update, Fault::Lock(way))],
        Cause::ConnectFailed => vec![
            (Where::Database, Fault::Connect),
            (Where::Call, Fault::Connect),
            (Where::Outside(Outside::Http), Fault::Connect),
        ],
        Cause::RetryStorm => {
            let faults = [Fault::Connect, Fault::Gone, Fault::Exhausted, fail];
            faults.map(|fault| (Where::Tries(5 + way % 5), fault)).to_vec()
        }
        Cause::Bug => vec![(Where::Call, Fault::Panic), (Where::Call, fail), (Where::Own(None), Fault::Panic)],
        Cause::Overload => vec![
            (Where::Call, Fault::Exhausted),
            (Where::Own(None), wait),
            (Where::Outside(Outside::Http), Fault::Exhausted),
        ],
        Cause::ProcessGone => vec![(Where::Call, Fault::Gone)],
        Cause::Refused => vec![(Where::Call, Fault::Refuse(way))],
        Cause::AsyncFailure => vec![(Where::Afterwards, fail), (Where::Afterwards, Fault::Connect)],
        _ => unreachable!("{cause:?} is not put at one place"),
    };
    choices[rng.usize(0..choices.len())]
}

/// Makes one operation use most of the time, and a later one need more than is left.
fn upstream(rng: &mut Rng, scene: &mut Scene) -> Option<String> {
    let first = rng.usize(0..scene.ops.len().checked_sub(1).filter(|count| *count > 0)?);
    let (before, after) = scene.ops.split_at_mut(first + 1);
    let used = Fault::Slow(scene.budget * between(rng, 80, 92) / 100);
    let left = Fault::Slow(scene.budget * between(rng, 23, 28) / 100);
    let guilty = inject(rng, &mut before[first..], &scene.names, Where::Anything, used)?;
    // A call has a span that shows that it was cut off.
    let is_call = |op: &&mut Op| matches!(op.what, What::Call { .. } | What::Outside { optional: false, .. });
    let next = after.iter_mut().find(is_call)?;
    inject(rng, std::slice::from_mut(next), &scene.names, Where::Anything, left)?;
    Some(guilty)
}

/// Adds a weaker fault, in asynchronous work or in a call whose failure is tolerated.
pub(super) fn weaken(rng: &mut Rng, scene: &mut Scene) -> Option<String> {
    let at = if rng.bool() { Where::Afterwards } else { Where::Optional };
    let fault = if rng.bool() { Fault::Connect } else { Fault::Fail(rng.u32(0..60)) };
    scene_inject(rng, scene, at, fault)
}

/// Breaks a trace without failures: one span loses its parent's id, or the parent's span is removed.
pub(super) fn tear(rng: &mut Rng, spans: &mut Vec<Span>) -> Option<()> {
    let is_called = |at: &usize| spans[*at].kind == Kind::Server && spans[*at].parent_span_id.is_some();
    let called: Vec<usize> = (0..spans.len()).filter(is_called).collect();
    let at = *called.get(rng.usize(0..called.len().max(1)))?;
    if rng.bool() {
        spans[at].parent_span_id = None;
        return Some(());
    }
    let id = Some(spans[at].span_id.clone());
    spans.iter().any(|span| span.parent_span_id == id).then(|| drop(spans.remove(at)))
}
