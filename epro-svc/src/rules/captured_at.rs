use chrono::TimeDelta;

use super::Broken;
use crate::capture::Capture;

/// How far a phone's clock may be ahead of ours.
const CLOCK_SKEW: TimeDelta = TimeDelta::minutes(5);

/// The time of capture has an offset, is not in the future and not before the enrolment.
pub(super) fn check(capture: &Capture<'_>) -> Vec<Broken> {
    let broken = |rule| vec![Broken::at("/captured_at", rule)];
    let Some(captured) = capture.at else { return broken("captured-at-format") };
    if captured.time().signed_duration_since(capture.now) > CLOCK_SKEW {
        broken("captured-at-future")
    } else if captured.time() < capture.assignment.enrolled_at {
        broken("captured-at-before-enrolment")
    } else {
        vec![]
    }
}
