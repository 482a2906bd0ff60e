use proto::domain::answer::Value;

use super::Broken;
use crate::filled_in::FilledIn;
use crate::questionnaire::{Item, ItemType};

/// Every answer has the type of its item. A whole number is also a valid decimal, and selects an option of a choice.
pub(super) fn check(filled_in: &FilledIn<'_>) -> Vec<Broken> {
    filled_in
        .answered()
        .filter(|(item, answer)| !fits(item, answer))
        .map(|(item, _)| Broken::answer(item, "type"))
        .collect()
}

/// Whether an answer has the type of its item. NaN and infinity are not numbers. A whole number of more than 64 bits
/// has the right type, but breaks the rule of the range.
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
