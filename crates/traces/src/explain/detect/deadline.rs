//! A call was cut off because earlier work had used up the deadline.

use crate::explain::candidate::{Candidate, Cause, named, time};
use crate::explain::case::Case;
use crate::explain::focus::Focus;

pub(in crate::explain) fn used_upstream(case: &Case<'_>, focus: &Focus) -> Vec<Candidate> {
    let Some(sink) = focus.sink.filter(|sink| sink.is_upstream) else { return Vec::new() };
    let source = focus.source();
    let (had, whole) = (time(case.timing.duration(source)), time(case.timing.duration(focus.top())));
    let sentence = format!(
        "{} used up {} of the {whole} there were, and {} was cut off after {had}",
        case.blamed(sink.at),
        time(sink.time),
        named(case, source)
    );
    let candidate = Candidate::new(Cause::DeadlineUsedUpstream, sink.at, 0.87, sentence)
        .because(format!("{} ended as {} after {had}", named(case, source), case.facts[source].ending()))
        .because(format!("{} took {:.0} % of the time before it", named(case, sink.at), sink.share * 100.0));
    vec![if case.is_outside(sink.at) { candidate } else { candidate.by_absence() }]
}
