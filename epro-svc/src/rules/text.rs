use proto::domain::answer::Value;

use super::Broken;
use crate::filled_in::FilledIn;

/// A text is not too long, counted in characters, and has no NUL, because Postgres cannot store one.
pub(super) fn check(filled_in: &FilledIn<'_>) -> Vec<Broken> {
    let mut broken = Vec::new();
    for (item, answer) in filled_in.answered() {
        let Value::Text(text) = answer else { continue };
        if item.max_length.is_some_and(|limit| text.chars().count() > limit) {
            broken.push(Broken::answer(item, "length"));
        }
        if text.contains('\0') {
            broken.push(Broken::answer(item, "null-character"));
        }
    }
    broken
}
