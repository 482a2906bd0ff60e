use super::Broken;
use super::answer_type::fits;
use crate::filled_in::FilledIn;
use crate::questionnaire::number;

/// A number lies within its item's limits, both included. One of the wrong type has its own rule.
pub(super) fn check(filled_in: &FilledIn<'_>) -> Vec<Broken> {
    filled_in
        .answered()
        .filter(|(item, answer)| fits(item, answer))
        .filter(|(item, answer)| {
            number(answer).is_some_and(|number| {
                item.min.is_some_and(|min| number < min) || item.max.is_some_and(|max| number > max)
            })
        })
        .map(|(item, _)| Broken::answer(item, "range"))
        .collect()
}
