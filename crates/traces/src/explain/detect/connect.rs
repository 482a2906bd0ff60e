//! A callee that cannot be reached: no connection, a dead process, or a lost answer.

use super::pool;
use crate::Kind;
use crate::conventions::{self, Class, Role};
use crate::explain::candidate::{Candidate, Cause, named, time};
use crate::explain::case::Case;
use crate::explain::focus::Focus;

pub(in crate::explain) fn failed(case: &Case<'_>, focus: &Focus) -> Vec<Candidate> {
    let source = focus.source();
    let is_edge = case.request == Some(source) && case.span(source).kind == Kind::Client;
    // If a pool fails while it opens a connection, the connection failed, whatever the error says.
    let is_opening = case.role(source) == Role::Pool && pool::opens(case, source);
    let has_failed =
        case.class(source).is_some_and(|class| class == Class::Connect || is_opening && class != Class::Pool);
    if has_failed && !is_edge {
        return vec![no_connection(case, source, 0.93)];
    }
    let opening = focus.sink.map(|sink| sink.at).filter(|at| case.role(*at) == Role::Pool && pool::opens(case, *at));
    opening.map(|at| no_connection(case, at, 0.88)).into_iter().collect()
}

fn no_connection(case: &Case<'_>, at: usize, weight: f64) -> Candidate {
    let who = &case.span(at).service;
    let whom = match case.role(at) {
        Role::Database | Role::Pool => "its database",
        _ => case.peer(at).unwrap_or("whom it calls"),
    };
    let (ending, lasted) = (case.facts[at].ending(), time(case.timing.duration(at)));
    let sentence = format!("{who} could not connect to {whom}");
    let seen = format!("{} ended as {ending} after {lasted}", named(case, at));
    Candidate::new(Cause::ConnectFailed, at, weight, sentence).because(seen)
}

/// A failed call between services whose callee has no span, or ended well.
pub(in crate::explain) fn process_gone(case: &Case<'_>, focus: &Focus) -> Vec<Candidate> {
    let source = focus.source();
    let is_call =
        case.span(source).kind == Kind::Client && matches!(case.role(source), Role::Rpc | Role::Http | Role::Call);
    if !is_call || case.request == Some(source) {
        return Vec::new();
    }
    let class = case.class(source);
    let (span, ending) = (case.span(source), case.facts[source].ending());
    let seen = format!("{} ended as {ending} after {}", named(case, source), time(case.timing.duration(source)));
    if let Some(callee) = case.callee(source) {
        let is_lost = matches!(class, Some(Class::Unavailable | Class::Unknown | Class::Internal));
        if case.bears(callee) || case.class(callee).is_some() || !is_lost {
            return Vec::new();
        }
        let sentence =
            format!("the answer of {} to {} got lost between the two", case.span(callee).service, span.service);
        let well = format!("{} ended well", named(case, callee));
        return vec![Candidate::new(Cause::Network, source, 0.8, sentence).because(seen).because(well)];
    }
    if class != Some(Class::Unavailable) || !is_gone(case, source) {
        return Vec::new();
    }
    let left = left_behind(case, source);
    let weight = if left > 0 { 0.85 } else { 0.72 };
    let whom = case.blamed(source);
    let sentence = format!("{whom} was gone, or went away, while {} was waiting for it", span.service);
    let mut candidate = Candidate::new(Cause::ProcessGone, source, weight, sentence)
        .because(seen)
        .because("whoever was called has left no span of the call")
        .by_absence();
    if left > 0 {
        candidate = candidate.because(format!("{left} spans of what it did until then have lost their parent"));
    }
    vec![candidate]
}

/// Whether an unanswered call went to another service of the system, which the call names.
pub(super) fn is_gone(case: &Case<'_>, call: usize) -> bool {
    let is_named = conventions::peer_service(case.span(call)).is_some();
    // With an HTTP status, somebody has answered.
    matches!(case.role(call), Role::Rpc | Role::Http) && case.facts[call].http.is_none() && is_named
}

/// The number of orphans without a failure that began while the caller was running. They may be of the process that
/// died. Allows for clock skew.
fn left_behind(case: &Case<'_>, call: usize) -> usize {
    const SKEW: i64 = 50_000_000;
    let caller = case.tree.parent(call).unwrap_or(call);
    let (start, end) = (case.timing.start[caller].saturating_sub(SKEW), case.timing.end[caller].saturating_add(SKEW));
    let is_within = |at: &&usize| {
        let may_have_failed = case.span(**at).kind == Kind::Consumer;
        (start..=end).contains(&case.timing.start[**at]) && (may_have_failed || !case.bears(**at))
    };
    case.gaps.orphans.iter().filter(is_within).count()
}
