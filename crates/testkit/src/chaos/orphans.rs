//! Spans whose parent never came: a killed process takes the spans it has not sent along, and no
//! other reason is good enough.

use std::time::{Duration, UNIX_EPOCH};

use super::{Fault, Incident};
use crate::stack::Service;
use crate::trace::{Kind, Span, Trace};

/// A span that has just ended waits this long at most for its export, with a margin.
const EXPORT: Duration = Duration::from_secs(2);
/// No span that waits for another lasts longer.
const LONGEST: Duration = Duration::from_mins(1);

/// The orphans of a trace: those that a kill explains, and those that nothing does.
pub(crate) fn sort<'a>(trace: &'a Trace, incidents: &[Incident]) -> (Vec<&'a Span>, Vec<&'a Span>) {
    trace.orphans().into_iter().partition(|orphan| incidents.iter().any(|incident| explains(incident, orphan)))
}

fn explains(incident: &Incident, orphan: &Span) -> bool {
    let Fault::Kill(victim) = incident.fault else { return false };
    let at = incident.at.duration_since(UNIX_EPOCH).unwrap_or_default();
    let start = Duration::from_nanos(orphan.start);
    let parents = match orphan.kind {
        // A late delivery's parent is the submission, which may be long ago.
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
