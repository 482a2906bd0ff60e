//! A dependency was too slow or failed.

use super::connect::is_gone;
use super::lock::STATEMENT_TIMEOUT;
use crate::Kind;
use crate::conventions::{self, Class, Role};
use crate::explain::candidate::{Candidate, Cause, Dependency, named, shortened, time};
use crate::explain::case::Case;
use crate::explain::focus::{Focus, fraction};

/// If a callee has less than this part of the call's time, the call is not slow because of it.
const CALLEES_PART: f64 = 0.5;

pub(in crate::explain) fn slow(case: &Case<'_>, focus: &Focus) -> Vec<Candidate> {
    let Some(sink) = focus.sink.filter(|sink| !matches!(case.role(sink.at), Role::Pool | Role::Queue)) else {
        return Vec::new();
    };
    let at = sink.at;
    let span = case.span(at);
    let is_between = span.kind == Kind::Client
        && case
            .callee(at)
            .is_some_and(|callee| fraction(case.timing.duration(callee), case.timing.duration(at)) < CALLEES_PART);
    if is_between {
        return Vec::new();
    }
    let took = time(sink.time);
    let (of, sentence) = described(case, at, &took);
    let is_outside = case.is_outside(at);
    // It may have waited for a lock all the time.
    let may_be_locked = case.facts[at].sqlstate.as_deref() == Some(STATEMENT_TIMEOUT) && case.facts[at].writes();
    let certain = if may_be_locked || !is_outside { 0.74 } else { 0.86 };
    let weight = if sink.is_upstream { certain / 2.0 } else { certain } * (0.8 + 0.2 * sink.share);
    let part = format!("{} had {took} of the time, {:.0} %", named(case, at), sink.share * 100.0);
    let mut candidate = Candidate::new(Cause::Slow(of), at, weight, sentence).because(part);
    // If it was not cut off itself, a lost span after it may be the one that was.
    if !is_outside || !case.bears(at) {
        candidate = candidate.by_absence();
    }
    let source = focus.source();
    if source != at {
        candidate = candidate.because(format!("{} ended as {}", named(case, source), case.facts[source].ending()));
    }
    vec![candidate]
}

fn described(case: &Case<'_>, at: usize, took: &str) -> (Dependency, String) {
    let span = case.span(at);
    let what = shortened(&span.name);
    if span.kind == Kind::Client || case.role(at) == Role::Database {
        let of = Dependency::of(case.role(at));
        let whom = match of {
            Dependency::Database => format!("the database of {}", span.service),
            _ => format!("the {} {}", case.role(at).noun(), case.blamed(at)),
        };
        return (of, format!("{whom} took {took} for {what} and longer than it was waited for"));
    }
    let served = case.served(at);
    let caller = case.caller(served);
    let is_first = case.request == Some(served) || caller.is_some() && caller == case.request;
    let asked = caller.map_or(case.role(served), |caller| case.role(caller));
    let of = if is_first { Dependency::Service } else { Dependency::of(asked) };
    (of, format!("{} itself was busy for {took} in {what}, longer than it was waited for", span.service))
}

pub(in crate::explain) fn failed(case: &Case<'_>, focus: &Focus) -> Vec<Candidate> {
    let source = focus.source();
    let (span, facts) = (case.span(source), &case.facts[source]);
    let is_call = matches!(span.kind, Kind::Client | Kind::Producer) || facts.is_database();
    let is_answered = case.callee(source).is_some();
    let is_named = conventions::peer_service(span).is_some();
    let Some(class) = facts.class.filter(|_| is_call && !is_answered) else { return Vec::new() };
    let of = Dependency::of(case.role(source));
    let weight = match class {
        Class::Refused | Class::Statement => 0.85,
        Class::Internal | Class::Unknown if is_named => 0.62,
        Class::Unavailable if is_gone(case, source) => 0.62,
        Class::Internal | Class::Unavailable => 0.82,
        Class::Unknown | Class::Exhausted => 0.7,
        _ => return Vec::new(),
    };
    let whom = match of {
        Dependency::Database => format!("the database of {}", span.service),
        _ => format!("the {} {}", case.role(source).noun(), case.blamed(source)),
    };
    let sentence = format!("{whom} failed: {} ended as {}", shortened(&span.name), facts.ending());
    let seen = format!("{} ended as {}", named(case, source), facts.ending());
    let mut candidate = Candidate::new(Cause::Failed(of), source, weight, sentence).because(seen);
    if !case.is_outside(source) {
        candidate = candidate.but("whoever was called has left no span, which may be lost").by_absence();
    }
    vec![candidate]
}
