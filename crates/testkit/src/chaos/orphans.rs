//! Spans whose parent never arrived. A killed process loses the spans that it has not exported yet, and this is the
//! only accepted reason.

use std::time::{Duration, UNIX_EPOCH};

use super::{Fault, Incident};
use crate::stack::Service;
use crate::trace::{Kind, Span, Trace};

/// The longest time from the end of a span to its export, with a margin.
const EXPORT: Duration = Duration::from_secs(2);
/// The longest duration of a span that waits for another one.
const LONGEST: Duration = Duration::from_mins(1);

/// Sorts the orphans of a trace into those that a kill explains and the others.
pub(crate) fn sort<'a>(trace: &'a Trace, incidents: &[Incident]) -> (Vec<&'a Span>, Vec<&'a Span>) {
    trace.orphans().into_iter().partition(|orphan| incidents.iter().any(|incident| explains(incident, orphan)))
}

fn explains(incident: &Incident, orphan: &Span) -> bool {
    let Fault::Kill(victim) = incident.fault else { return false };
    let at = incident.at.duration_since(UNIX_EPOCH).unwrap_or_default();
    let start = Duration::from_nanos(orphan.start);
    let parents = match orphan.kind {
        // The parent of a late delivery is the submission, and that may have been long ago.
        Kind::Consumer => return at <= start + LONGEST && [Service::NotifySvc, Service::DataSvc].contains(&victim),
        Kind::Server => callers(&orphan.service),
        _ => Service::ALL.into_iter().filter(|service| service.name() == orphan.service).collect(),
    };
    parents.contains(&victim) && at + EXPORT >= start && at <= start + LONGEST
}

fn callers(callee: &str) -> Vec<Service> {
    let calls = |service: &Service| service.callees().iter().any(|(service, _)| service.name() == callee);
    Service::ALL.into_iter().filter(calls).collect()
}
