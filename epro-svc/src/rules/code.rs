use proto::domain::answer::Value;

use super::Broken;
use crate::filled_in::FilledIn;
use crate::questionnaire::{Item, ItemType};

/// A choice is one of the item's options. A code of an option has become its value before, so a code that is still
/// there is unknown. An answer of the wrong type breaks another rule.
pub(super) fn check(filled_in: &FilledIn<'_>) -> Vec<Broken> {
    filled_in
        .answered()
        .filter(|(item, _)| item.kind == ItemType::Choice)
        .filter(|(item, answer)| match answer {
            Value::Integer(value) => !offers(item, *value),
            Value::Coding(_) => true,
            _ => false,
        })
        .map(|(item, _)| Broken::answer(item, "code"))
        .collect()
}

fn offers(item: &Item, value: i64) -> bool {
    item.options.iter().any(|option| option.value == value)
}
