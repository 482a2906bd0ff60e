use std::time::Duration;

use chrono::{DateTime, Utc};
use service_kit::database::interval;
use sqlx::{PgExecutor, query, query_as};
use uuid::Uuid;

use crate::values::Channel;

/// A notification its worker now holds; `attempts` counts this one.
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
    /// The study, for a nurse of another site than the report's.
    pub(crate) study_id: Option<Uuid>,
    /// Whether it may be told in one message with others.
    pub(crate) gathered: bool,
    /// Its site's, unless it is urgent: from, until, IANA time zone.
    pub(crate) quiet_hours: Option<Vec<String>>,
}

/// Leases what is due of a report's notifications, but for those that are gathered, which wait for others. What another
/// worker holds is skipped, not waited for.
pub(crate) async fn claim(
    executor: impl PgExecutor<'_>,
    report_id: Uuid,
    channels: &[Channel],
    lease: Duration,
) -> sqlx::Result<Vec<Claimed>> {
    // The plan is made once, mostly while next to nothing is pending, and an index of what is pending looks best then. With
    // a backlog it would be read from end to end for every report. Inside of `coalesce` the planner does not see that the
    // condition is that index's.
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

/// Notifications that are claimed beside others to be told with them.
const COMPANIONS: i64 = 1000;

/// Leases `limit` notifications that are due and that nobody holds, urgent ones first and then the oldest. One
/// that was never put off may have a hint on its way, and is left to it for `overdue`. With one that is gathered come all
/// others that are due for its nurse.
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

/// Gives claims back that came to no attempt, but for those of which a later one has begun. `attempts` are theirs.
///
/// Found by their ids, not in an index of what is pending: see [`claim`].
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

/// Gives claims back that came to no attempt because their sites are not to be told yet.
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
