use super::{Broken, Submission};

/// Every answer belongs to an item. The name of an unknown one is the sender's own text, so it is
/// not repeated.
pub(super) fn check(submission: &Submission<'_>) -> Vec<Broken> {
    let known = |link_id: &String| submission.questionnaire.items.iter().any(|item| item.link_id == *link_id);
    submission
        .answers
        .keys()
        .filter(|link_id| !known(link_id))
        .map(|_| Broken::at("/answers", "unknown-item"))
        .collect()
}
