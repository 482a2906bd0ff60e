use super::Broken;
use crate::capture::Capture;

/// The questionnaire version was still in use at the time of capture.
pub(super) fn check(capture: &Capture<'_>) -> Vec<Broken> {
    let times = capture.at.zip(capture.assignment.retired_at);
    let retired = times.is_some_and(|(captured, retired_at)| retired_at <= captured.time());
    if retired { vec![Broken::at("/assignment_id", "questionnaire-retired")] } else { vec![] }
}
