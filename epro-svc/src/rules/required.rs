use super::{Broken, Submission};

/// Every required item that is enabled has an answer.
pub(super) fn check(submission: &Submission<'_>) -> Vec<Broken> {
    let items = submission.questionnaire.items.iter();
    items
        .filter(|item| item.required && submission.is_enabled(item) && submission.answer(&item.link_id).is_none())
        .map(|item| Broken::answer(item, "required"))
        .collect()
}
