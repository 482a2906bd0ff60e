//! Causes before the first service has done anything.

use crate::Kind;
use crate::conventions::Class;
use crate::explain::candidate::{Candidate, Cause, named, time};
use crate::explain::case::Case;
use crate::explain::focus::{Focus, fraction, gave_up_late};

/// The SERVER span of the first service.
fn entry(case: &Case<'_>, top: usize) -> Option<usize> {
    match case.span(top).kind {
        Kind::Server => Some(top),
        Kind::Client => case.callee(top),
        _ => None,
    }
}

pub(in crate::explain) fn network(case: &Case<'_>, focus: &Focus) -> Vec<Candidate> {
    let (top, source) = (focus.top(), focus.source());
    if case.request != Some(top) {
        return Vec::new();
    }
    let span = case.span(top);
    let class = case.class(source);
    if span.kind == Kind::Client && source == top {
        let told = case.facts[top].ending();
        let seen = format!("{} ended as {told}", named(case, top));
        return match case.callee(top) {
            None if matches!(class, Some(Class::Connect | Class::Unavailable | Class::Deadline | Class::Unknown)) => {
                let sentence = format!("{} did not reach {}: {told}", span.service, case.blamed(top));
                vec![Candidate::new(Cause::EdgeNetwork, top, 0.82, sentence).because(seen).by_absence()]
            }
            Some(callee) if !case.bears(callee) => {
                let lost = case.timing.duration(top).saturating_sub(case.timing.duration(callee));
                let sentence = format!(
                    "the answer of {} got lost on the way to {}: {} of {} were spent between the two",
                    case.span(callee).service,
                    span.service,
                    time(lost),
                    time(case.timing.duration(top))
                );
                let weight = 0.6 + 0.3 * fraction(lost, case.timing.duration(top)).clamp(0.0, 1.0);
                let well = format!("{} ended well after {}", named(case, callee), time(case.timing.duration(callee)));
                vec![Candidate::new(Cause::EdgeNetwork, top, weight, sentence).because(seen).because(well)]
            }
            _ => Vec::new(),
        };
    }
    let is_slow_body = case.facts[source].http == Some(408);
    match entry(case, top) {
        Some(entry) if entry == source && is_slow_body => {
            let sentence = format!(
                "the request did not reach {} whole within {}: the network to it, or the caller, was too slow",
                case.span(entry).service,
                time(case.timing.duration(entry))
            );
            let asked = match case.waited(entry).count() {
                0 => "asked nobody".to_owned(),
                asked => format!("had asked {asked} others, who answered well"),
            };
            let seen = format!("{} answered 408 and {asked}", named(case, entry));
            vec![Candidate::new(Cause::EdgeNetwork, entry, 0.9, sentence).because(seen)]
        }
        _ => Vec::new(),
    }
}

pub(in crate::explain) fn limit(case: &Case<'_>, focus: &Focus) -> Vec<Candidate> {
    let source = focus.source();
    let class = case.class(source);
    let is_limit = matches!(class, Some(Class::Exhausted | Class::Unavailable));
    if case.request != Some(focus.top()) || entry(case, focus.top()) != Some(source) || !is_limit {
        return Vec::new();
    }
    let facts = &case.facts[source];
    let asked = case.waited(source).count();
    let retry_after = facts.retry_after();
    let is_sure = class == Some(Class::Exhausted) || retry_after.is_some();
    let weight = match (asked, is_sure) {
        _ if gave_up_late(case, source) => 0.4,
        (0, true) => 0.92,
        (0, false) => 0.78,
        (_, true) => 0.8,
        (_, false) => 0.5,
    };
    let after = retry_after.map(|after| format!(", and asks to come again after {after} s")).unwrap_or_default();
    let sentence = format!("{} turned the request away ({}){after}", case.span(source).service, facts.ending());
    let seen = format!("{} answered after {}", named(case, source), time(case.timing.duration(source)));
    let asked = format!("it had asked {asked} others, all of whom answered well");
    let mut candidate = Candidate::new(Cause::EdgeLimit, source, weight, sentence).because(seen).because(asked);
    // The answer may come from another service whose spans are lost.
    candidate.rests_on_absence = facts.retry_after().is_none();
    vec![candidate]
}
