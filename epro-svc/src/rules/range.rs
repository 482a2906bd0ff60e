use proto::report::answer::Value;

use super::answer_type::fits;
use super::{Broken, Submission};

/// A number lies within its item's limits, both included. One of the wrong type has its own rule.
pub(super) fn check(submission: &Submission<'_>) -> Vec<Broken> {
    submission
        .answered()
        .filter(|(item, answer)| fits(item, answer))
        .filter(|(item, answer)| {
            let number = match answer {
                #[expect(clippy::cast_precision_loss, reason = "limits are far below 2^53")]
                Value::Integer(number) => *number as f64,
                Value::Decimal(number) => *number,
                Value::Boolean(_) | Value::Text(_) => return false,
            };
            item.min.is_some_and(|min| number < min) || item.max.is_some_and(|max| number > max)
        })
        .map(|(item, _)| Broken::answer(item, "range"))
        .collect()
}
