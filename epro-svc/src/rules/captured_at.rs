use chrono::{DateTime, TimeDelta};

use super::{Broken, Submission};

/// How far a phone's clock may be ahead of ours.
const CLOCK_SKEW: TimeDelta = TimeDelta::minutes(5);

/// The time of capture has an offset, is not in the future and not before the enrolment.
pub(super) fn check(submission: &Submission<'_>) -> Vec<Broken> {
    let broken = |rule| vec![Broken::at("/captured_at", rule)];
    let Ok(captured_at) = DateTime::parse_from_rfc3339(submission.captured_at) else {
        return broken("captured-at-format");
    };
    if captured_at > submission.now + CLOCK_SKEW {
        broken("captured-at-future")
    } else if captured_at < submission.enrolled_at {
        broken("captured-at-before-enrolment")
    } else {
        vec![]
    }
}
