use std::time::Duration;

use service_kit::database::interval;
use sqlx::{PgExecutor, query_as};
use telemetry::TraceContext;
use uuid::Uuid;

use crate::values::{Channel, NotificationState};

/// What an attempt came to, and what that makes of its notification.
pub(crate) struct Verdict {
    pub(crate) outcome: &'static str,
    pub(crate) state: NotificationState,
    /// Whether it may have been delivered.
    pub(crate) uncertain: bool,
    /// How long a notification that stays `pending` waits for its next attempt.
    pub(crate) retry_after: Duration,
    /// How old a notification may be at its next attempt: past that it is `dead`, or `uncertain`.
    pub(crate) give_up_after: Duration,
}

/// Where an attempt has moved its notification.
pub(crate) struct Transition {
    pub(crate) notification_id: Uuid,
    pub(crate) report_id: Uuid,
    pub(crate) state: NotificationState,
    pub(crate) channel: Channel,
    pub(crate) attempts: i32,
}

/// Stores an attempt of each notification and moves them on; gives those that were moved. One of which a later attempt
/// has begun is moved by that instead, unless this one has delivered it: then there is nothing left to attempt. One
/// statement, so that both happen or neither, in one round trip.
pub(crate) async fn record(
    executor: impl PgExecutor<'_>,
    notification_ids: &[Uuid],
    attempts: &[i32],
    verdict: &Verdict,
) -> sqlx::Result<Vec<Transition>> {
    // Out of sub-queries the arrays are as long as any others to the planner, which then keeps one plan for all. Inside of
    // `coalesce` it does not see that there is an index of what is pending, which it would read from end to end.
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
