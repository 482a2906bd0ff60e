//! The detectors. Each looks for one cause and weighs the evidence for it, independently of the others.

mod bug;
mod caller;
mod chain;
mod connect;
mod deadline;
mod dependency;
mod edge;
mod lock;
mod overload;
mod pool;
mod retry;

pub(super) use chain::{broken, sampled_out};

use super::candidate::Candidate;
use super::case::Case;
use super::focus::Focus;

type Detector = fn(&Case<'_>, &Focus) -> Vec<Candidate>;

/// The detectors for a single failure.
const OF_A_FAILURE: [Detector; 11] = [
    caller::left,
    edge::network,
    edge::limit,
    pool::full,
    lock::wait,
    connect::failed,
    dependency::slow,
    dependency::failed,
    deadline::used_upstream,
    bug::defect,
    overload::too_much,
];

/// All possible causes of a failure, in any order.
pub(super) fn all(case: &Case<'_>, focus: &Focus) -> Vec<Candidate> {
    let mut found: Vec<Candidate> = OF_A_FAILURE.iter().flat_map(|detect| detect(case, focus)).collect();
    found.extend(retry::storm(case, focus));
    found.extend(connect::process_gone(case, focus));
    found
}

pub(super) use caller::refused;
