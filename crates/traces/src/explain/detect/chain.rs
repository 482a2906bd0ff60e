//! Causes in the trace itself: it is in several pieces, or was not sampled.

use crate::explain::candidate::{Candidate, Cause, named};
use crate::explain::case::Case;

/// `weight` is the weight if nothing else has gone wrong.
pub(in crate::explain) fn broken(case: &Case<'_>, weight: f64) -> Vec<Candidate> {
    let gaps = &case.gaps;
    let first = gaps.roots.first().or(gaps.orphans.first()).or(gaps.unanswered.first());
    let Some(first) = first.copied() else { return Vec::new() };
    let sentence = match (case.request, gaps.roots.len(), gaps.orphans.len()) {
        (_, 1.., _) => format!(
            "the trace has {} beginnings: {} lost what caused it",
            gaps.roots.len() + 1,
            case.span(first).service
        ),
        (None, ..) => "the trace has no beginning: the span that all of it comes from is missing".to_owned(),
        (Some(_), 0, 0) => {
            format!("{} calls were answered, and whoever did it has left no span", gaps.unanswered.len())
        }
        (Some(_), 0, orphans) => format!("{orphans} spans have lost the one they come from"),
    };
    let mut candidate = Candidate::new(Cause::BrokenChain, first, weight, sentence)
        .because(format!("{} is the first", named(case, first)))
        .but("spans may have been lost on the way to the storage, or not have arrived yet");
    // A second root cannot be the result of a lost span.
    candidate.rests_on_absence = gaps.roots.is_empty();
    vec![candidate]
}

/// The trace has spans without the sampled flag.
pub(in crate::explain) fn sampled_out(case: &Case<'_>, is_well: bool) -> Vec<Candidate> {
    let spans = case.tree.spans();
    let unsampled = spans.iter().filter(|span| span.sampled == Some(false)).count();
    if unsampled == 0 {
        return Vec::new();
    }
    let weight = if is_well { 0.86 } else { 0.4 };
    let sentence = "the trace was not sampled, and these are a few of its spans: the log lines of its id say more";
    let seen = format!("{unsampled} of {} spans say that they were not to be kept", spans.len());
    vec![Candidate::new(Cause::SampledOut, case.tree.tops()[0], weight, sentence).because(seen)]
}
