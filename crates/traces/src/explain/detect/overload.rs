//! A service has more work than it can do: it rejects calls, or they queue.

use crate::Kind;
use crate::conventions::{Class, Role, same_clock};
use crate::explain::candidate::{Candidate, Cause, named, time};
use crate::explain::case::Case;
use crate::explain::focus::{Focus, fraction, gave_up_late};

pub(in crate::explain) fn too_much(case: &Case<'_>, focus: &Focus) -> Vec<Candidate> {
    turned_away(case, focus).into_iter().chain(queued(case, focus)).chain(between(case, focus)).collect()
}

fn turned_away(case: &Case<'_>, focus: &Focus) -> Option<Candidate> {
    let source = focus.source();
    let span = case.span(source);
    let is_entry =
        case.request == Some(source) || case.caller(source).is_some_and(|caller| case.request == Some(caller));
    if is_entry || matches!(case.role(source), Role::Database | Role::Pool | Role::Smtp) {
        return None;
    }
    let asked = case.waited(source).count();
    let weight = match (case.class(source), span.kind) {
        (Some(Class::Exhausted), Kind::Client) if case.callee(source).is_none() => 0.82,
        (Some(Class::Exhausted), Kind::Server) => 0.9,
        (Some(Class::Unavailable), Kind::Server) if gave_up_late(case, source) => 0.4,
        (Some(Class::Unavailable), Kind::Server) if asked == 0 => 0.75,
        (Some(Class::Unavailable), Kind::Server) => 0.6,
        _ => return None,
    };
    let (who, ending) = (case.blamed(source), case.facts[source].ending());
    let sentence = format!("{who} had more to do than it takes and turned a call away ({ending})");
    let seen = format!("{} ended as {ending} after {}", named(case, source), time(case.timing.duration(source)));
    let candidate = Candidate::new(Cause::Overload, source, weight, sentence).because(seen);
    let candidate = if case.is_outside(source) { candidate } else { candidate.by_absence() };
    Some(match case.class(source) {
        Some(Class::Unavailable) => candidate.but("it may be stopping, or not be ready"),
        _ => candidate,
    })
}

fn queued(case: &Case<'_>, focus: &Focus) -> Option<Candidate> {
    let sink = focus.sink.filter(|sink| case.role(sink.at) == Role::Queue)?;
    let who = &case.span(sink.at).service;
    let sentence = format!("{who} had more to do than it takes: the work queued for {}", time(sink.time));
    let seen = format!("{} took {:.0} % of the time", named(case, sink.at), sink.share * 100.0);
    Some(Candidate::new(Cause::Overload, sink.at, 0.87, sentence).because(seen))
}

/// Most of the time was between a call and its SERVER span: the call was queued, or on the network.
fn between(case: &Case<'_>, focus: &Focus) -> Vec<Candidate> {
    const CALLEES_PART: f64 = 0.5;
    let Some(sink) = focus.sink else { return Vec::new() };
    let at = sink.at;
    let Some(callee) = case.callee(at).filter(|_| case.span(at).kind == Kind::Client) else { return Vec::new() };
    if case.request == Some(at) || fraction(case.timing.duration(callee), case.timing.duration(at)) >= CALLEES_PART {
        return Vec::new();
    }
    let lost = case.timing.duration(at).saturating_sub(case.timing.duration(callee));
    let before = case.timing.start[callee].saturating_sub(case.timing.start[at]);
    let is_known = same_clock(case.span(at), case.span(callee)) || case.timing.end[callee] > case.timing.end[at];
    let is_before = fraction(before, lost) > 0.8;
    let (queueing, network) = match (is_known, is_before) {
        (true, true) => (0.78, 0.6),
        (true, false) => (0.4, 0.78),
        (false, _) => (0.6, 0.66),
    };
    let (whose, who) = (&case.span(at).service, &case.span(callee).service);
    let seen = format!(
        "{} took {}, its answer {}",
        named(case, at),
        time(case.timing.duration(at)),
        time(case.timing.duration(callee))
    );
    let queueing = Candidate::new(
        Cause::Overload,
        callee,
        queueing,
        format!("{who} took up a call of {whose} only after {}: it queued, or was on the way", time(before)),
    );
    let network =
        Candidate::new(Cause::Network, at, network, format!("{} were lost between {whose} and {who}", time(lost)));
    vec![queueing.because(seen.clone()), network.because(seen)]
}
