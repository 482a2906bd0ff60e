//! Another transaction held a lock.

use crate::conventions::{Class, Role, WAITS_FOR_LOCK};
use crate::explain::candidate::{Candidate, Cause, named, shortened, time};
use crate::explain::case::Case;
use crate::explain::focus::Focus;

/// The SQLSTATE of a statement that reached its time limit. It may have been working or waiting for a lock.
pub(super) const STATEMENT_TIMEOUT: &str = "57014";

pub(in crate::explain) fn wait(case: &Case<'_>, focus: &Focus) -> Vec<Candidate> {
    let source = focus.source();
    let facts = &case.facts[source];
    if case.class(source) == Some(Class::Lock) {
        let what = if facts.sqlstate.as_deref() == Some("40P01") { "in a deadlock" } else { "for a lock" };
        return vec![candidate(case, source, 0.95, what)];
    }
    if facts.sqlstate.as_deref() == Some(STATEMENT_TIMEOUT) {
        // A writing statement often waits for locks. A reading one is more probably slow.
        let weight = if facts.writes() { 0.88 } else { 0.6 };
        let doubt = "its time limit ended it: it may have been slow without a lock";
        return vec![candidate(case, source, weight, "for a lock").but(doubt)];
    }
    match focus.sink.map(|sink| sink.at) {
        Some(at)
            if matches!(case.role(at), Role::Database | Role::Queue) && case.facts[at].waits_for(&WAITS_FOR_LOCK) =>
        {
            vec![candidate(case, at, 0.9, "for a lock").because("an event says that it waits for a lock")]
        }
        _ => Vec::new(),
    }
}

fn candidate(case: &Case<'_>, at: usize, weight: f64, what: &str) -> Candidate {
    let span = case.span(at);
    let waited = time(case.timing.duration(at));
    let sentence = format!("{} waited {waited} {what} in the database ({})", span.service, shortened(&span.name));
    let seen = match case.class(at) {
        Some(_) => format!("{} ended as {}", named(case, at), case.facts[at].ending()),
        None => format!("{} took {waited}", named(case, at)),
    };
    Candidate::new(Cause::LockWait, at, weight, sentence).because(seen)
}
