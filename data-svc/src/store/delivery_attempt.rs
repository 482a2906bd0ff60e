use std::time::Duration;

use service_kit::database::interval;
use sqlx::{PgExecutor, query_as};
use telemetry::TraceContext;
use uuid::Uuid;

use crate::values::{Channel, NotificationState};

/// The outcome of an attempt, and what it means for the notification.
pub(crate) struct Verdict {
    pub(crate) outcome: &'static str,
    pub(crate) state: NotificationState,
    /// Whether the message may have been delivered.
    pub(crate) uncertain: bool,
    /// How long a notification that stays `pending` waits for its next attempt.
    pub(crate) retry_after: Duration,
    /// How old a notification may be at its next attempt. If it would be older, it becomes `dead` or `uncertain`.
    pub(crate) give_up_after: Duration,
}

/// The state of a notification after an attempt.
pub(crate) struct Transition {
    pub(crate) notification_id: Uuid,
    pub(crate) report_id: Uuid,
    pub(crate) state: NotificationState,
    pub(crate) channel: Channel,
    pub(crate) attempts: i32,
}

/// Stores an attempt of each notification and updates the notifications; returns those that were updated. If a later
/// attempt has begun, the later one updates the notification, unless this one has delivered it: then there is nothing
/// left to attempt. This is one statement, so that both changes happen or neither, in one round trip.
pub(crate) async fn record(
    executor: impl PgExecutor<'_>,
    notification_ids: &[Uuid],
    attempts: &[i32],
    verdict: &Verdict,
) -> sqlx::Result<Vec<Transition>> {
    // The arrays come from sub-queries, so that the planner does not know their lengths and keeps one generic plan.
    // `coalesce` hides the condition from the index of pending notifications, which would be read from end to end.
    query_as!(
        Transition,
        r#"WITH recorded AS (
             INSERT INTO clinical.delivery_attempt (notification_id, attempt, outcome, trace_id)
             SELECT notification_id, attempt, $3, $7
             FROM unnest((SELECT $1::uuid[]), (SELECT $2::integer[])) AS made (notification_id, attempt)
             ON CONFLICT DO NOTHING
         )
         UPDATE clinical.notification
         SET state = CASE WHEN $4 = 'dead' AND uncertain THEN 'uncertain'
                          WHEN $4 <> 'pending' OR now() + $5 - coalesce(resent_at, created_at) <= $6::interval THEN $4
                          WHEN uncertain OR $8 THEN 'uncertain'
                          ELSE 'dead' END,
             uncertain = uncertain OR $8,
             due_at = now() + $5,
             lease_until = NULL
         FROM unnest((SELECT $1::uuid[]), (SELECT $2::integer[])) AS made (notification_id, attempt)
         WHERE notification.notification_id = made.notification_id AND (attempts = attempt OR $4 = 'delivered')
           AND coalesce(state, '') = 'pending'
         RETURNING notification.notification_id, report_id, state AS "state: NotificationState",
                   channel AS "channel: Channel", attempts"#,
        notification_ids,
        attempts,
        verdict.outcome,
        verdict.state as NotificationState,
        interval(verdict.retry_after),
        interval(verdict.give_up_after),
        TraceContext::current().trace_id().to_string(),
        verdict.uncertain,
    )
    .fetch_all(executor)
    .await
}
