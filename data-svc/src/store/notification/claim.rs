use std::time::Duration;

use chrono::{DateTime, Utc};
use service_kit::database::interval;
use sqlx::{PgExecutor, query, query_as};
use uuid::Uuid;

use crate::values::Channel;

/// A notification that a worker has leased. `attempts` includes the attempt that begins now.
pub(crate) struct Claimed {
    pub(crate) notification_id: Uuid,
    pub(crate) report_id: Uuid,
    pub(crate) site_id: Uuid,
    pub(crate) recipient_id: Uuid,
    pub(crate) channel: Channel,
    pub(crate) urgent: bool,
    pub(crate) attempts: i32,
    pub(crate) traceparent: String,
    pub(crate) tracestate: String,
    pub(crate) claimed_at: DateTime<Utc>,
    /// Microseconds since it was enqueued.
    pub(crate) age: i64,
    /// The study, if the nurse belongs to another site than the report.
    pub(crate) study_id: Option<Uuid>,
    /// Whether it may be delivered in one message with others.
    pub(crate) gathered: bool,
    /// The site's quiet hours (from, until, IANA time zone). `None` if the notification is urgent.
    pub(crate) quiet_hours: Option<Vec<String>>,
}

/// Leases those notifications of a report that are due, except gathered ones, which wait for others. Rows that another
/// worker holds are skipped, not waited for.
pub(crate) async fn claim(
    executor: impl PgExecutor<'_>,
    report_id: Uuid,
    channels: &[Channel],
    lease: Duration,
) -> sqlx::Result<Vec<Claimed>> {
    // The plan is cached, mostly while few notifications are pending, and then the index of pending ones looks best.
    // With a backlog that index would be read from end to end for every report. `coalesce` hides the condition from the
    // planner, so that it does not use the index.
    query_as!(
        Claimed,
        r#"UPDATE clinical.notification
           SET lease_until = now() + $3, attempts = attempts + 1
           WHERE notification_id IN (
               SELECT notification_id
               FROM clinical.notification
               WHERE report_id = $1 AND channel = ANY($2) AND coalesce(state, '') = 'pending' AND due_at <= now() AND NOT gathered
                 AND (lease_until IS NULL OR lease_until <= now())
               FOR UPDATE SKIP LOCKED
           )
           RETURNING notification_id, report_id, site_id, recipient_id, channel AS "channel: Channel", urgent, attempts, traceparent,
                     tracestate, study_id, gathered,
                     now() AS "claimed_at!", clinical.micros(now()) - clinical.micros(created_at) AS "age!",
                     (SELECT ARRAY[quiet_from::text, quiet_until::text, time_zone]
                      FROM clinical.site
                      WHERE site.site_id = notification.site_id AND quiet_from IS NOT NULL AND NOT urgent
                     ) AS "quiet_hours: Vec<String>""#,
        report_id,
        channels as &[Channel],
        interval(lease),
    )
    .fetch_all(executor)
    .await
}

/// Most gathered notifications that are leased to be delivered with others.
const COMPANIONS: i64 = 1000;

/// Leases `limit` notifications that are due and that no worker holds, urgent ones first, then the oldest. A
/// notification that was never postponed may have a hint on its way, and is left to that hint until it is overdue by
/// `overdue`. With a gathered notification, the other gathered ones that are due for the same nurse are leased too.
pub(crate) async fn claim_due(
    executor: impl PgExecutor<'_>,
    overdue: Duration,
    limit: i64,
    channels: &[Channel],
    lease: Duration,
) -> sqlx::Result<Vec<Claimed>> {
    query_as!(
        Claimed,
        r#"WITH picked AS (
               SELECT notification_id, gathered, site_id, recipient_id, channel
               FROM clinical.notification
               WHERE state = 'pending' AND due_at <= now() AND (due_at > created_at OR due_at <= now() - $1::interval)
                 AND channel = ANY($3) AND (lease_until IS NULL OR lease_until <= now())
               ORDER BY urgent DESC, due_at, report_id
               LIMIT $2
               FOR UPDATE SKIP LOCKED
           ), companion AS (
               SELECT notification_id
               FROM clinical.notification
               WHERE gathered AND state = 'pending' AND due_at <= now() AND (lease_until IS NULL OR lease_until <= now())
                 AND (site_id, recipient_id, channel) IN (
                     SELECT site_id, recipient_id, channel FROM picked WHERE gathered
                 )
               ORDER BY due_at
               LIMIT $5
               FOR UPDATE SKIP LOCKED
           )
           UPDATE clinical.notification
           SET lease_until = now() + $4, attempts = attempts + 1
           WHERE notification_id IN (SELECT notification_id FROM picked UNION SELECT notification_id FROM companion)
           RETURNING notification_id, report_id, site_id, recipient_id, channel AS "channel: Channel", urgent, attempts, traceparent,
                     tracestate, study_id, gathered,
                     now() AS "claimed_at!", clinical.micros(now()) - clinical.micros(created_at) AS "age!",
                     (SELECT ARRAY[quiet_from::text, quiet_until::text, time_zone]
                      FROM clinical.site
                      WHERE site.site_id = notification.site_id AND quiet_from IS NOT NULL AND NOT urgent
                     ) AS "quiet_hours: Vec<String>""#,
        interval(overdue),
        limit,
        channels as &[Channel],
        interval(lease),
        COMPANIONS,
    )
    .fetch_all(executor)
    .await
}

/// Releases claims whose delivery was not attempted, unless a later attempt has begun. `attempts` are their numbers.
///
/// Rows are found by their ids, not by the index of pending notifications: see [`claim`].
pub(crate) async fn release(
    executor: impl PgExecutor<'_>,
    notification_ids: &[Uuid],
    attempts: &[i32],
    retry_after: Duration,
) -> sqlx::Result<()> {
    query!(
        "UPDATE clinical.notification
         SET attempts = attempts - 1, due_at = now() + $3, lease_until = NULL
         FROM unnest($1::uuid[], $2::integer[]) AS held (notification_id, attempt)
         WHERE notification.notification_id = held.notification_id AND attempts = attempt
           AND coalesce(state, '') = 'pending'",
        notification_ids,
        attempts,
        interval(retry_after),
    )
    .execute(executor)
    .await
    .map(drop)
}

/// Releases claims whose delivery was not attempted because of quiet hours, until those end.
pub(crate) async fn put_back(executor: impl PgExecutor<'_>, held: &[(&Claimed, DateTime<Utc>)]) -> sqlx::Result<()> {
    let ids: Vec<_> = held.iter().map(|(claim, _)| claim.notification_id).collect();
    let attempts: Vec<_> = held.iter().map(|(claim, _)| claim.attempts).collect();
    let ends: Vec<_> = held.iter().map(|(_, end)| *end).collect();
    query!(
        "UPDATE clinical.notification
         SET attempts = attempts - 1, due_at = quiet_until, lease_until = NULL
         FROM unnest($1::uuid[], $2::integer[], $3::timestamptz[]) AS held (notification_id, attempt, quiet_until)
         WHERE notification.notification_id = held.notification_id AND attempts = attempt
           AND coalesce(state, '') = 'pending'",
        &ids,
        &attempts,
        &ends,
    )
    .execute(executor)
    .await
    .map(drop)
}
