use chrono::{DateTime, TimeDelta};

use super::{Broken, Submission};

/// How far a phone's clock may be ahead of ours.
const CLOCK_SKEW: TimeDelta = TimeDelta::minutes(5);

/// The time of capture has an offset, is not in the future and not before the enrolment.
pub(super) fn check(submission: &Submission<'_>) -> Vec<Broken> {
    let broken = |rule| vec![Broken::at("/captured_at", rule)];
    // chrono also takes a blank for the T and a minus sign that is not ASCII's.
    let strict = submission.captured_at.is_ascii() && !submission.captured_at.contains(' ');
    let captured_at = match DateTime::parse_from_rfc3339(submission.captured_at) {
        Ok(captured_at) if strict => captured_at,
        _ => return broken("captured-at-format"),
    };
    if captured_at > submission.now + CLOCK_SKEW {
        broken("captured-at-future")
    } else if captured_at < submission.enrolled_at {
        broken("captured-at-before-enrolment")
    } else {
        vec![]
    }
}
