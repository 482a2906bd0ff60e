use proto::domain::answer::Value;

use super::Broken;
use crate::filled_in::FilledIn;

/// Every required item that is enabled has an answer. A blank text is no answer.
pub(super) fn check(filled_in: &FilledIn<'_>) -> Vec<Broken> {
    let items = filled_in.questionnaire.items.iter();
    items
        .filter(|item| item.required && filled_in.is_enabled(item) && filled_in.answer(item).is_none_or(is_blank))
        .map(|item| Broken::answer(item, "required"))
        .collect()
}

fn is_blank(answer: &Value) -> bool {
    matches!(answer, Value::Text(text) if text.trim().is_empty())
}
