use proto::report::answer::Value;

use super::questionnaire::{Item, ItemType};
use super::{Broken, Submission};

/// Every answer has its item's type. A whole number is a decimal, too.
pub(super) fn check(submission: &Submission<'_>) -> Vec<Broken> {
    submission
        .answered()
        .filter(|(item, answer)| !fits(item, answer))
        .map(|(item, _)| Broken::answer(item, "type"))
        .collect()
}

/// Whether an answer is of its item's type.
pub(super) fn fits(item: &Item, answer: &Value) -> bool {
    matches!(
        (item.kind, answer),
        (ItemType::Integer | ItemType::Decimal, Value::Integer(_))
            | (ItemType::Decimal, Value::Decimal(_))
            | (ItemType::Boolean, Value::Boolean(_))
            | (ItemType::Text, Value::Text(_))
    )
}
