//! The same call was retried many times.

use crate::Kind;
use crate::explain::candidate::{Candidate, Cause, named, shortened, time};
use crate::explain::case::Case;
use crate::explain::focus::Focus;

/// This many failures are a retry storm. One less is a usual retry policy.
const STORM: usize = 4;

/// The failed span in the chain with the most failed siblings of the same name.
pub(in crate::explain) fn storm(case: &Case<'_>, focus: &Focus) -> Vec<Candidate> {
    let counted = focus.chain.iter().skip(1).filter_map(|at| Some((attempts(case, *at)?, *at)));
    let Some((count, at)) = counted.max_by_key(|(count, at)| (*count, std::cmp::Reverse(*at))) else {
        return Vec::new();
    };
    let weight = match count {
        STORM.. => 0.96,
        3 => 0.85,
        _ => return Vec::new(),
    };
    let source = focus.source();
    let whom = if source == at { case.blamed(at) } else { case.blamed(source) };
    let parent = case.tree.parent(at).unwrap_or(at);
    let sentence = format!(
        "{} called {} {count} times within {}, and each time it failed ({}): {whom} is what it needs",
        case.span(at).service,
        shortened(&case.span(at).name),
        time(case.timing.duration(parent)),
        case.facts[source].ending()
    );
    let seen = format!("{count} children of {} are {} and failed", named(case, parent), named(case, at));
    let last = format!("the last of them comes down to {}", named(case, source));
    vec![Candidate::new(Cause::RetryStorm, source, weight, sentence).because(seen).because(last)]
}

/// The number of consecutive attempts of a call, or `None` if it is no call. Each attempt may have an INTERNAL span
/// around it.
fn attempts(case: &Case<'_>, at: usize) -> Option<usize> {
    let span = case.span(at);
    let parent = case.tree.parent(at)?;
    if !matches!(span.kind, Kind::Client | Kind::Internal) {
        return None;
    }
    let mut alike: Vec<usize> = case
        .tree
        .children(parent)
        .iter()
        .copied()
        .filter(|other| case.span(*other).name == span.name && case.span(*other).kind == span.kind)
        .filter(|other| case.bears(*other))
        .collect();
    alike.sort_by_key(|other| case.timing.start[*other]);
    // Overlapping spans are not retries.
    let mut until = i64::MIN;
    let one_after_the_other = alike.into_iter().filter(|other| {
        let is_next = case.timing.start[*other] >= until;
        if is_next {
            until = case.timing.end[*other];
        }
        is_next
    });
    Some(one_after_the_other.count())
}
