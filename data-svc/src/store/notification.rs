use std::time::Duration;

use service_kit::database::interval;
use sqlx::{PgExecutor, query, query_as};
use telemetry::TraceContext;
use telemetry::postgres::Tx;
use uuid::Uuid;

/// A notification its worker now holds; `attempts` counts this one.
pub(crate) struct Claimed {
    pub(crate) notification_id: Uuid,
    pub(crate) site_id: Uuid,
    pub(crate) recipient_id: Uuid,
    pub(crate) channel: String,
    pub(crate) attempts: i32,
}

/// A report with notifications that wait for a worker.
pub(crate) struct Due {
    pub(crate) report_id: Uuid,
    pub(crate) traceparent: String,
    /// Attempts made so far, of the notification with most.
    pub(crate) attempts: i32,
}

/// What an attempt came to, and what that makes of its notification.
pub(crate) struct Verdict {
    pub(crate) outcome: &'static str,
    pub(crate) state: &'static str,
    pub(crate) retry_after: Duration,
}

/// Puts one notification per recipient and channel into the outbox, with the current trace beside it.
pub(crate) async fn enqueue(tx: &mut Tx, report_id: Uuid, enrolment_id: Uuid, recipients: &[Uuid]) -> sqlx::Result<()> {
    query!(
        "INSERT INTO clinical.notification (report_id, site_id, recipient_id, channel, traceparent)
         SELECT $1, site_id, recipient_id, channel, $4
         FROM clinical.enrolment,
              (SELECT DISTINCT recipient_id FROM unnest($3::uuid[]) AS given (recipient_id)) AS recipient,
              unnest(ARRAY['sms', 'email']) AS channel
         WHERE enrolment_id = $2",
        report_id,
        enrolment_id,
        recipients,
        TraceContext::current().to_string(),
    )
    .execute(tx)
    .await
    .map(drop)
}

/// Leases what is due of a report's notifications. What another worker holds is skipped, not waited for.
pub(crate) async fn claim(
    executor: impl PgExecutor<'_>,
    report_id: Uuid,
    lease: Duration,
) -> sqlx::Result<Vec<Claimed>> {
    query_as!(
        Claimed,
        "UPDATE clinical.notification
         SET lease_until = now() + $2, attempts = attempts + 1
         WHERE notification_id IN (
             SELECT notification_id
             FROM clinical.notification
             WHERE report_id = $1 AND state = 'pending' AND due_at <= now()
               AND (lease_until IS NULL OR lease_until <= now())
             FOR UPDATE SKIP LOCKED
         )
         RETURNING notification_id, site_id, recipient_id, channel, attempts",
        report_id,
        interval(lease),
    )
    .fetch_all(executor)
    .await
}

/// Reports of the oldest `limit` notifications that have been due for `overdue` and that nobody holds.
pub(crate) async fn list_due(executor: impl PgExecutor<'_>, overdue: Duration, limit: i64) -> sqlx::Result<Vec<Due>> {
    query_as!(
        Due,
        r#"SELECT report_id, min(traceparent) AS "traceparent!", max(attempts) AS "attempts!"
           FROM (
               SELECT report_id, traceparent, attempts, due_at
               FROM clinical.notification
               WHERE state = 'pending' AND due_at <= now() - $1::interval
                 AND (lease_until IS NULL OR lease_until <= now())
               ORDER BY due_at
               LIMIT $2
           ) AS overdue
           GROUP BY report_id
           ORDER BY min(due_at)"#,
        interval(overdue),
        limit,
    )
    .fetch_all(executor)
    .await
}

/// Stores an attempt and moves its notification on, unless a later attempt has begun. One statement,
/// so that both happen or neither, in one round trip.
pub(crate) async fn record(
    executor: impl PgExecutor<'_>,
    notification_id: Uuid,
    attempt: i32,
    verdict: Verdict,
) -> sqlx::Result<()> {
    query!(
        "WITH recorded AS (
             INSERT INTO clinical.delivery_attempt (notification_id, attempt, outcome, trace_id)
             VALUES ($1, $2, $3, $6)
             ON CONFLICT DO NOTHING
         )
         UPDATE clinical.notification
         SET state = $4, due_at = now() + $5, lease_until = NULL
         WHERE notification_id = $1 AND attempts = $2 AND state = 'pending'",
        notification_id,
        attempt,
        verdict.outcome,
        verdict.state,
        interval(verdict.retry_after),
        TraceContext::current().trace_id().to_string(),
    )
    .execute(executor)
    .await
    .map(drop)
}
