use super::{Broken, Submission};

/// Every answer belongs to an item. The name of an unknown one is the sender's own text, so it is
/// not repeated, and many of them are reported as one.
pub(super) fn check(submission: &Submission<'_>) -> Vec<Broken> {
    let known = |link_id: &String| submission.questionnaire.items.iter().any(|item| item.link_id == *link_id);
    if submission.answers.keys().all(known) { vec![] } else { vec![Broken::at("/answers", "unknown-item")] }
}
