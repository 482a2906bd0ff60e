use std::time::Duration;

use chrono::{DateTime, Utc};
use service_kit::database::interval;
use sqlx::{PgExecutor, query_as, query_scalar};
use uuid::Uuid;

use crate::values::{Channel, NotificationState};

/// A notification that was not delivered, or may not have been, with its last attempt.
pub(crate) struct Undelivered {
    pub(crate) notification_id: Uuid,
    pub(crate) report_id: Uuid,
    pub(crate) recipient_id: Uuid,
    pub(crate) channel: Channel,
    pub(crate) urgent: bool,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) attempts: i32,
    pub(crate) last_outcome: String,
    pub(crate) since: DateTime<Utc>,
}

/// A site's notifications that are `dead`, `cancelled` or `uncertain`; an uncertain one may still be retried. Newest
/// first, from the one after `after`.
pub(crate) async fn list_undelivered(
    executor: impl PgExecutor<'_>,
    site_id: Uuid,
    state: NotificationState,
    after: Option<(DateTime<Utc>, Uuid)>,
    limit: i64,
) -> sqlx::Result<Vec<Undelivered>> {
    let (time, id) = after.unzip();
    query_as!(
        Undelivered,
        r#"SELECT notification_id, report_id, recipient_id, channel AS "channel: Channel", urgent, created_at, attempts,
                last.outcome AS last_outcome, last.recorded_at AS since
         FROM clinical.notification
         CROSS JOIN LATERAL (
             SELECT outcome, recorded_at
             FROM clinical.delivery_attempt
             WHERE delivery_attempt.notification_id = notification.notification_id
             ORDER BY attempt DESC
             LIMIT 1
         ) AS last
         WHERE site_id = $1
           AND (state = $2 AND state IN ('dead', 'cancelled')
                OR $2 = 'uncertain' AND uncertain AND state IN ('pending', 'uncertain'))
           AND ($3::timestamptz IS NULL OR (created_at, notification_id) < ($3, $4::uuid))
         ORDER BY created_at DESC, notification_id DESC
         LIMIT $5"#,
        site_id,
        state as NotificationState,
        time,
        id,
        limit,
    )
    .fetch_all(executor)
    .await
}

/// Whether the notification exists at one of the sites.
pub(crate) async fn exists(
    executor: impl PgExecutor<'_>,
    notification_id: Uuid,
    site_ids: &[Uuid],
) -> sqlx::Result<bool> {
    query_scalar!(
        r#"SELECT EXISTS (
               SELECT FROM clinical.notification WHERE notification_id = $1 AND site_id = ANY($2)
           ) AS "exists!""#,
        notification_id,
        site_ids,
    )
    .fetch_one(executor)
    .await
}

/// The backlog of the outbox.
pub(crate) struct Backlog {
    /// Pending notifications.
    pub(crate) depth: f64,
    /// Seconds since the oldest of them was due; zero if none is due.
    pub(crate) age: f64,
}

pub(crate) async fn backlog(executor: impl PgExecutor<'_>) -> sqlx::Result<Backlog> {
    query_as!(
        Backlog,
        r#"SELECT count(*)::double precision AS "depth!",
                  greatest(coalesce(extract(epoch FROM now() - min(due_at)), 0), 0)::double precision AS "age!"
           FROM clinical.notification
           WHERE state = 'pending'"#,
    )
    .fetch_one(executor)
    .await
}

/// A notification that makes no progress, or whose final state no attempt explains.
pub(crate) struct Stuck {
    pub(crate) notification_id: Uuid,
    pub(crate) state: String,
    /// How many stuck notifications there are in all.
    pub(crate) total: i64,
}

/// The first `limit` stuck notifications: those that have been due for `stuck_after` without a lease, those that are
/// still pending after `pending_after`, and those in a final state that no attempt explains. Quiet hours, which are
/// shorter than a day, may delay the last attempt.
pub(crate) async fn list_stuck(
    executor: impl PgExecutor<'_>,
    stuck_after: Duration,
    pending_after: Duration,
    limit: i64,
) -> sqlx::Result<Vec<Stuck>> {
    query_as!(
        Stuck,
        r#"SELECT notification_id, state, count(*) OVER () AS "total!"
         FROM clinical.notification JOIN clinical.site USING (site_id)
         WHERE CASE state
             WHEN 'pending' THEN greatest(due_at, lease_until) < now() - $1::interval
                 OR coalesce(resent_at, created_at) < now() - $2::interval
                                 - CASE WHEN urgent OR quiet_from IS NULL THEN interval '0' ELSE interval '1 day' END
             ELSE NOT EXISTS (
                 SELECT
                 FROM clinical.delivery_attempt
                 WHERE delivery_attempt.notification_id = notification.notification_id
                   AND state = CASE outcome WHEN 'delivered' THEN 'delivered'
                                            WHEN 'no_recipient' THEN 'cancelled'
                                            WHEN 'uncertain' THEN 'uncertain'
                                            ELSE 'dead' END
             )
         END
         ORDER BY created_at
         LIMIT $3"#,
        interval(stuck_after),
        interval(pending_after),
        limit,
    )
    .fetch_all(executor)
    .await
}
