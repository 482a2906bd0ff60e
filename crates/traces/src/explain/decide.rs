//! Weighs the candidates. This is the only place that decides.

use std::collections::HashMap;

use super::candidate::{Candidate, Cause, named, time};
use super::case::Case;
use super::detect;
use super::focus::Focus;
use crate::Kind;
use crate::conventions::Class;

/// The certainty of the verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Confidence {
    /// The trace does not show the cause.
    CannotTell,
    /// The evidence makes it probable.
    Likely,
    /// A span reports it.
    Certain,
}

impl Confidence {
    pub fn name(self) -> &'static str {
        match self {
            Self::CannotTell => "cannot tell",
            Self::Likely => "likely",
            Self::Certain => "certain",
        }
    }
}

/// Below this weight it is a guess.
const LEAST: f64 = 0.45;
/// From this weight on, a span reports it.
const SURE: f64 = 0.8;
/// The certainty needs at least this distance to the next candidate.
const DISTANCE: f64 = 0.1;
/// A longer answer counts as slow, in nanoseconds.
const SLOW: i64 = 1_000_000_000;

/// Returns the candidates, the most likely first, and the certainty of the first.
pub(super) fn decide(case: &Case<'_>) -> (Vec<Candidate>, Confidence) {
    let mut found = found(case);
    found.sort_by(|one, other| other.weight.total_cmp(&one.weight));
    let Some(best) = found.first() else { return (Vec::new(), Confidence::CannotTell) };
    // Two detectors that blame the same span agree, unless one of them counts other spans too (a retry storm).
    let is_other = |other: &&Candidate| other.at != best.at || other.cause == Cause::RetryStorm;
    let second = found.iter().skip(1).filter(is_other).find(|other| other.cause != best.cause);
    let is_doubtful = second.is_some_and(|second| second.weight > best.weight - DISTANCE);
    let is_whole = case.gaps.is_whole() && case.request.is_some();
    let is_gone = best.cause == Cause::ProcessGone && best.weight > SURE;
    let confidence = if best.weight < LEAST || !is_whole && best.rests_on_absence && !is_gone && best.cause.is_failure()
    {
        Confidence::CannotTell
    } else if best.weight >= SURE && !is_doubtful && !best.rests_on_absence && case.request.is_some() {
        Confidence::Certain
    } else {
        Confidence::Likely
    };
    let confidence = match best.cause {
        Cause::BrokenChain if confidence == Confidence::CannotTell => Confidence::Likely,
        _ => confidence,
    };
    (found, confidence)
}

fn found(case: &Case<'_>) -> Vec<Candidate> {
    let mut found = Vec::new();
    let top = case.request.or_else(|| case.tree.tops().first().copied());
    let Some(top) = top else { return found };
    let has_failed = case.bears(top);
    if has_failed {
        let focus = Focus::on(case, top);
        found.extend(detect::all(case, &focus));
        found.extend(focus.on_sink(case).into_iter().flat_map(|focus| detect::all(case, &focus)));
    } else if case.class(top) == Some(Class::Refused) {
        found.extend(detect::refused(case, top));
        found.extend(weighed(
            detect::all(case, &Focus::on(case, top)),
            0.65,
            case.failures_below(top).next().is_some(),
        ));
    } else if case.request.is_some() {
        found.extend(afterwards(case));
    }
    // A separate piece of the trace with a failure shows a failure, but not that it made the request fail.
    for piece in case.gaps.orphans.iter().chain(&case.gaps.roots).filter(|piece| **piece != top && case.bears(**piece))
    {
        // No caller waits for a consumer.
        let weight = if has_failed && case.span(*piece).kind == Kind::Consumer { 0.5 } else { 0.8 };
        found.extend(weighed(detect::all(case, &Focus::on(case, *piece)), weight, true));
    }
    let is_explained = has_failed && found.iter().any(|candidate| candidate.weight >= LEAST);
    found.extend(detect::sampled_out(case, !has_failed));
    found.extend(detect::broken(case, if is_explained || !found.is_empty() { 0.3 } else { 0.82 }));
    if !has_failed && case.request == Some(top) && case.class(top).is_none() {
        found.push(healthy(case, top, !found.is_empty()));
    }
    found
}

fn weighed(candidates: Vec<Candidate>, by: f64, applies: bool) -> impl Iterator<Item = Candidate> {
    let candidates = candidates.into_iter().filter(move |_| applies);
    candidates.map(move |candidate| Candidate { weight: candidate.weight * by, ..candidate })
}

/// A failure after the answer or beside it: of the asynchronous work that ended last, with its deepest cause.
fn afterwards(case: &Case<'_>) -> Option<Candidate> {
    let apart = |at: &usize| {
        let is_sent = case.span(*at).kind == Kind::Producer;
        (case.timing.is_left_alone[*at] || is_sent) && case.bears(*at)
    };
    // A message that was processed again in this trace, and well, is no failure.
    let mut again: HashMap<&str, i64> = HashMap::new();
    for at in (0..case.facts.len()).filter(|at| case.span(*at).kind == Kind::Consumer && !case.bears(*at)) {
        if let Some(message) = case.facts[at].message() {
            let latest = again.entry(message).or_insert(i64::MIN);
            *latest = case.timing.start[at].max(*latest);
        }
    }
    let is_over = |at: &usize| {
        let latest = case.facts[*at].message().and_then(|message| again.get(message));
        latest.is_some_and(|latest| *latest >= case.timing.end[*at])
    };
    let pieces = case.tree.order().iter().copied().filter(|at| apart(at) && !is_over(at));
    let piece = pieces.max_by_key(|at| case.timing.end[*at])?;
    let focus = Focus::on(case, piece);
    let inner = detect::all(case, &focus).into_iter().max_by(|one, other| one.weight.total_cmp(&other.weight));
    let source = inner.as_ref().map_or(focus.source(), |inner| inner.at);
    let mut sentence = "the answer was fine, and what went on after it failed".to_owned();
    let mut evidence = vec![format!("{} has failed, and nobody waited for it", named(case, piece))];
    let rests_on_absence = inner.as_ref().is_some_and(|inner| inner.rests_on_absence);
    if let Some(inner) = inner {
        sentence = format!("{sentence}: {}", inner.sentence);
        evidence.extend(inner.evidence);
        evidence.push(format!("by itself it is {}", inner.cause.name()));
    }
    let candidate = Candidate::new(Cause::AsyncFailure, source, 0.9, sentence);
    Some(Candidate { rests_on_absence, evidence, ..candidate })
}

fn healthy(case: &Case<'_>, top: usize, is_doubtful: bool) -> Candidate {
    let took = case.timing.duration(top);
    let handled = case.failures_below(top).last();
    let weight = if is_doubtful { 0.35 } else { 0.85 };
    let service = &case.span(top).service;
    let mut candidate = if took >= SLOW {
        let longest = Focus::on_time(case, top);
        let sentence =
            format!("{service} answered well, but only after {}: {} had most of it", time(took), named(case, longest));
        Candidate::new(Cause::SlowButHealthy, longest, weight, sentence)
    } else {
        Candidate::new(Cause::Healthy, top, weight, format!("{service} answered well after {}", time(took)))
    };
    candidate = candidate.because(format!("{} ended well", named(case, top)));
    match handled {
        Some(handled) => candidate.but(format!("{} failed, and the answer did without it", named(case, handled))),
        None => candidate,
    }
}
