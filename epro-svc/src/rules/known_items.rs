use super::Broken;
use crate::filled_in::FilledIn;

/// Every answer belongs to an item. The name of an unknown one is the sender's own text, so it is
/// not repeated, and many of them are reported as one.
pub(super) fn check(filled_in: &FilledIn<'_>) -> Vec<Broken> {
    let known = |link_id: &String| filled_in.questionnaire.items.iter().any(|item| item.link_id == *link_id);
    if filled_in.link_ids().all(known) { vec![] } else { vec![Broken::at("/answers", "unknown-item")] }
}
