use super::{Broken, Submission};

/// The patient has declared that the answers are their own.
pub(super) fn check(submission: &Submission<'_>) -> Vec<Broken> {
    if submission.attested { vec![] } else { vec![Broken::at("/attested", "attested")] }
}
