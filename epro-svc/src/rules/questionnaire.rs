use super::Broken;
use crate::capture::Capture;

/// What was filled in is what the assignment asks for, if the sender says what it was.
pub(super) fn check(capture: &Capture<'_>) -> Vec<Broken> {
    let other = |named: &str| named != capture.assignment.canonical;
    if capture.questionnaire.is_some_and(other) { vec![Broken::at("/questionnaire", "questionnaire")] } else { vec![] }
}
