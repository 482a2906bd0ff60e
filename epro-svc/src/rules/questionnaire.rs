use super::Broken;
use crate::capture::Capture;

/// The sender has filled in the questionnaire of the assignment, if the report names one.
pub(super) fn check(capture: &Capture<'_>) -> Vec<Broken> {
    let other = |named: &str| named != capture.assignment.canonical;
    if capture.questionnaire.is_some_and(other) { vec![Broken::at("/questionnaire", "questionnaire")] } else { vec![] }
}
