//! Causes at the caller: it cancelled the request, or the request was refused.

use crate::conventions::Class;
use crate::explain::candidate::{Candidate, Cause, named, time};
use crate::explain::case::Case;
use crate::explain::focus::Focus;

pub(in crate::explain) fn left(case: &Case<'_>, focus: &Focus) -> Vec<Candidate> {
    let top = focus.top();
    if case.request != Some(top) || case.class(top) != Some(Class::Cancelled) {
        return Vec::new();
    }
    let waited = time(case.timing.duration(top));
    let under_way = focus.sink.filter(|sink| sink.at != top);
    let under_way = under_way.map(|sink| format!("; {} was under way", named(case, sink.at))).unwrap_or_default();
    let who = &case.span(top).service;
    let sentence = format!("the caller of {who} left after {waited}, before the answer{under_way}");
    vec![Candidate::new(Cause::ClientLeft, top, 0.92, sentence).because(format!(
        "{} ended as {}",
        named(case, top),
        case.facts[top].ending()
    ))]
}

/// The request was refused. Blames the deepest service that refused it.
pub(in crate::explain) fn refused(case: &Case<'_>, top: usize) -> Vec<Candidate> {
    let focus = Focus::on_refusal(case, top);
    let source = focus.source();
    let who = case.blamed(source);
    let ending = case.facts[source].ending();
    let sentence = format!("{who} refused the request ({ending}): it is the caller's own mistake");
    let mut candidate = Candidate::new(Cause::Refused, source, 0.9, sentence)
        .because(format!("{} ended as {ending}", named(case, source)));
    if let Some(failure) = case.failures_below(top).last().filter(|_| source == top) {
        candidate.weight = 0.55;
        candidate = candidate.but(format!("{} failed, and the refusal may come from that", named(case, failure)));
    }
    vec![candidate]
}
