//! No connection of a pool was free.

use crate::conventions::{Class, Role, WAITS_FOR_CONNECTION};
use crate::explain::candidate::{Candidate, Cause, named, time};
use crate::explain::case::Case;
use crate::explain::focus::Focus;

pub(in crate::explain) fn full(case: &Case<'_>, focus: &Focus) -> Vec<Candidate> {
    let source = focus.source();
    if case.class(source) == Some(Class::Pool) {
        return vec![candidate(case, source, 0.95)];
    }
    if case.class(source) == Some(Class::Exhausted) && case.role(source) == Role::Database {
        let sentence = format!("the database of {} takes no more connections", case.span(source).service);
        let seen = format!("{} ended as {}", named(case, source), case.facts[source].ending());
        return vec![Candidate::new(Cause::PoolFull, source, 0.88, sentence).because(seen)];
    }
    let waited = focus.sink.map(|sink| sink.at).filter(|at| case.role(*at) == Role::Pool);
    match waited {
        Some(at) if is_full(case, at) => vec![candidate(case, at, 0.92)],
        // The span does not say what it waits for. It may be a new connection.
        Some(at) if !opens(case, at) => vec![candidate(case, at, 0.8)],
        _ => Vec::new(),
    }
}

/// Whether it waits for a busy connection.
fn is_full(case: &Case<'_>, at: usize) -> bool {
    let facts = &case.facts[at];
    let (count, most, _) = facts.pool();
    facts.waits_for(&WAITS_FOR_CONNECTION) || count.is_some() && count == most && !opens(case, at)
}

/// Whether it waits for a new connection to open.
pub(super) fn opens(case: &Case<'_>, at: usize) -> bool {
    case.facts[at].waits_for(&["opening a connection", "connecting"])
}

fn candidate(case: &Case<'_>, at: usize, weight: f64) -> Candidate {
    let facts = &case.facts[at];
    let (count, most, pending) = facts.pool();
    let all = most.or(count).map_or_else(|| "all were in use".to_owned(), |most| format!("all {most} were in use"));
    let (who, waited) = (&case.span(at).service, time(case.timing.duration(at)));
    let sentence = format!("{who} waited {waited} for a database connection: {all}");
    let mut candidate = Candidate::new(Cause::PoolFull, at, weight, sentence);
    if facts.class.is_some() {
        candidate = candidate.because(format!("{} ended as {}", named(case, at), facts.ending()));
    } else {
        candidate = candidate.because(format!("{} took {waited}", named(case, at)));
    }
    if facts.waits_for(&WAITS_FOR_CONNECTION) {
        candidate = candidate.because("an event says that it waits for a connection in use");
    }
    match pending {
        Some(pending) if pending > 0 => candidate.because(format!("{pending} others were waiting already")),
        _ => candidate,
    }
}
