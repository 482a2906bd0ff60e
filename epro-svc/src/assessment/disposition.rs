use chrono::{DateTime, Utc};

use crate::assignment::Assignment;

/// Why a valid report is still held for a person to look at; empty when it is accepted. The caller has checked that the
/// report breaks no rule and that its study still takes it. `now` is when it was received.
pub(crate) fn held_because(assignment: &Assignment, now: DateTime<Utc>) -> Vec<String> {
    let late = assignment.schedule.window().is_some_and(|window| now >= window.sync_until);
    let retired = assignment.retired_at.is_some_and(|retired_at| now >= retired_at);
    // Only with this reason, data-svc takes a report of a closed study.
    let reasons = [("late", late), ("questionnaire-retired", retired), ("study-closed", assignment.closing.is_some())];
    reasons.into_iter().filter(|(_, holds)| *holds).map(|(reason, _)| reason.to_owned()).collect()
}
