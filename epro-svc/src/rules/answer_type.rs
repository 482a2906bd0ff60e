use proto::domain::answer::Value;

use super::Broken;
use crate::filled_in::FilledIn;
use crate::questionnaire::{Item, ItemType};

/// Every answer has its item's type. A whole number is a decimal, too, and a choice is made by one.
pub(super) fn check(filled_in: &FilledIn<'_>) -> Vec<Broken> {
    filled_in
        .answered()
        .filter(|(item, answer)| !fits(item, answer))
        .map(|(item, _)| Broken::answer(item, "type"))
        .collect()
}

/// Whether an answer is of its item's type. What is not finite is no number, and a whole number of more than 64 bits
/// still is one: it has the type, and not the range.
pub(super) fn fits(item: &Item, answer: &Value) -> bool {
    match answer {
        Value::Integer(_) => matches!(item.kind, ItemType::Integer | ItemType::Decimal | ItemType::Choice),
        Value::Decimal(number) => match item.kind {
            ItemType::Decimal => number.is_finite(),
            ItemType::Integer => number.is_finite() && number.fract() == 0.0,
            _ => false,
        },
        Value::Boolean(_) => item.kind == ItemType::Boolean,
        Value::Text(_) => item.kind == ItemType::Text,
        Value::Coding(_) => item.kind == ItemType::Choice,
        Value::Structure(()) => false,
    }
}
