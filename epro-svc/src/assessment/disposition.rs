use chrono::{DateTime, Utc};

use crate::assignment::Assignment;

/// Why a report that breaks no rule, and so was captured in time, is still held for a person to look at;
/// nothing when it is accepted. `now` is when it was received.
pub(crate) fn held_because(assignment: &Assignment, now: DateTime<Utc>) -> Vec<String> {
    let late = assignment.schedule.window().is_some_and(|window| now >= window.sync_until);
    let retired = assignment.retired_at.is_some_and(|retired_at| now >= retired_at);
    let reasons = [("late", late), ("questionnaire-retired", retired)];
    reasons.into_iter().filter(|(_, holds)| *holds).map(|(reason, _)| reason.to_owned()).collect()
}
