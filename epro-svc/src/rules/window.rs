use super::Broken;
use crate::assignment::Schedule;
use crate::capture::Capture;

/// A report of a scheduled assignment is captured in one of its windows. A time that cannot be parsed breaks another
/// rule.
pub(super) fn check(capture: &Capture<'_>) -> Vec<Broken> {
    let outside = matches!(capture.assignment.schedule, Schedule::Scheduled(None));
    if outside && capture.at.is_some() { vec![Broken::at("/captured_at", "outside-window")] } else { vec![] }
}
