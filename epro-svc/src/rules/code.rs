use proto::report::answer::Value;

use super::Broken;
use crate::filled_in::FilledIn;
use crate::questionnaire::{Item, ItemType};

/// A choice is one of the item's options. One of the wrong type has its own rule.
pub(super) fn check(filled_in: &FilledIn<'_>) -> Vec<Broken> {
    filled_in
        .answered()
        .filter(|(item, _)| item.kind == ItemType::Choice)
        .filter(|(item, answer)| matches!(answer, Value::Integer(value) if !offers(item, *value)))
        .map(|(item, _)| Broken::answer(item, "code"))
        .collect()
}

fn offers(item: &Item, value: i64) -> bool {
    item.options.iter().any(|option| option.value == value)
}
