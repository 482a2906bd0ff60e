use proto::domain::answer::Value;

use super::Broken;
use super::answer_type::fits;
use crate::filled_in::FilledIn;
use crate::questionnaire::{ItemType, number};

/// A number is within its item's limits, both included, and a whole number fits into 64 bits. An answer of the wrong
/// type breaks another rule.
pub(super) fn check(filled_in: &FilledIn<'_>) -> Vec<Broken> {
    filled_in
        .answered()
        .filter(|(item, answer)| fits(item, answer))
        .filter(|(item, answer)| {
            let too_large = item.kind == ItemType::Integer && matches!(answer, Value::Decimal(_));
            number(answer).is_some_and(|number| {
                too_large || item.min.is_some_and(|min| number < min) || item.max.is_some_and(|max| number > max)
            })
        })
        .map(|(item, _)| Broken::answer(item, "range"))
        .collect()
}
