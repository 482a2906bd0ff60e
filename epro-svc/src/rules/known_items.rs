use std::collections::HashSet;

use service_kit::near_miss;

use super::Broken;
use crate::filled_in::FilledIn;

/// Every answer belongs to an item. The name of an unknown item is free text of the sender, so it is not repeated, and
/// all unknown names together are one violation. A near miss of an item's name is shown, once for each item.
pub(super) fn check(filled_in: &FilledIn<'_>) -> Vec<Broken> {
    let known = || filled_in.questionnaire.items.iter().map(|item| item.link_id.as_str());
    let known_set: HashSet<_> = known().collect();
    let mut unknown: Vec<_> = filled_in.link_ids().filter(|link_id| !known_set.contains(link_id.as_str())).collect();
    unknown.sort_unstable();
    let mut meant = HashSet::new();
    let (slips, others): (Vec<_>, Vec<_>) =
        unknown.into_iter().partition(|link_id| near_miss(link_id, known()).is_some_and(|item| meant.insert(item)));
    let slips = slips.into_iter().map(|link_id| Broken::answer_to(link_id, "unknown-item"));
    let others = (!others.is_empty()).then(|| Broken::at("/answers", "unknown-item"));
    slips.chain(others).collect()
}
