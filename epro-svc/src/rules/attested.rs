use super::Broken;
use crate::capture::Capture;

/// The patient has declared that the answers are their own.
pub(super) fn check(capture: &Capture<'_>) -> Vec<Broken> {
    if capture.attested { vec![] } else { vec![Broken::at("/attested", "attested")] }
}
