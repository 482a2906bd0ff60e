use chrono::{DateTime, Utc};

use crate::assignment::Assignment;

/// Why a report that breaks no rule, and so was captured in time, and that its study takes, is still held for a person to look at;
/// nothing when it is accepted. `now` is when it was received.
pub(crate) fn held_because(assignment: &Assignment, now: DateTime<Utc>) -> Vec<String> {
    let late = assignment.schedule.window().is_some_and(|window| now >= window.sync_until);
    let retired = assignment.retired_at.is_some_and(|retired_at| now >= retired_at);
    // data-svc takes reports of closed studies for this reason alone.
    let reasons = [("late", late), ("questionnaire-retired", retired), ("study-closed", assignment.closing.is_some())];
    reasons.into_iter().filter(|(_, holds)| *holds).map(|(reason, _)| reason.to_owned()).collect()
}
