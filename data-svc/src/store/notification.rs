use std::collections::HashSet;
use std::time::Duration;

use chrono::{DateTime, Utc};
use service_kit::database::interval;
use sqlx::{PgExecutor, query, query_as, query_scalar};
use telemetry::postgres::Tx;
use telemetry::{Message, Task, TraceContext};
use uuid::Uuid;

use crate::quiet_hours::QuietHours;

/// A notification its worker now holds; `attempts` counts this one.
pub(crate) struct Claimed {
    pub(crate) notification_id: Uuid,
    pub(crate) report_id: Uuid,
    pub(crate) site_id: Uuid,
    pub(crate) recipient_id: Uuid,
    pub(crate) channel: String,
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
    /// Its site's, unless it is urgent.
    quiet_hours: Option<Vec<String>>,
}

impl Claimed {
    /// The end of the quiet hours that it was claimed in; `None` when its nurse can be told now.
    pub(crate) fn quiet_until(&self) -> Option<DateTime<Utc>> {
        QuietHours::parse(self.quiet_hours.as_deref()?)?.end(self.claimed_at)
    }
}

/// A notification that nobody got, with its last attempt.
pub(crate) struct Untold {
    pub(crate) notification_id: Uuid,
    pub(crate) report_id: Uuid,
    pub(crate) recipient_id: Uuid,
    pub(crate) channel: String,
    pub(crate) urgent: bool,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) attempts: i32,
    pub(crate) last_outcome: String,
    pub(crate) since: DateTime<Utc>,
}

/// The outbox, by the name of its table. One report's notifications are a message in it.
const OUTBOX: &str = "clinical.notification";

/// Puts one notification per recipient and channel into the outbox, with its place in the current trace beside it.
/// What is not urgent waits for the end of the site's quiet hours, and is gathered to be told with others when the
/// enrolment has sent more than the study wants told one by one.
pub(crate) async fn enqueue(
    tx: &mut Tx<'_>,
    report_id: Uuid,
    enrolment_id: Uuid,
    recipients: &[Uuid],
    urgent: bool,
) -> sqlx::Result<()> {
    let message = Message { system: "postgresql", destination: OUTBOX, id: report_id.to_string() };
    let inserted = insert(tx, report_id, enrolment_id, recipients, urgent);
    let first = Task::create("create notification", message).run(inserted).await?;
    let Some(first) = first else { return Ok(()) };
    let quiet_until =
        first.quiet_hours.as_deref().and_then(QuietHours::parse).and_then(|hours| hours.end(first.due_at));
    match quiet_until {
        Some(end) => hold_back(tx, report_id, end).await,
        None => Ok(()),
    }
}

struct Enqueued {
    due_at: DateTime<Utc>,
    quiet_hours: Option<Vec<String>>,
}

/// The first of the notifications, which all share what it says of itself.
async fn insert(
    tx: &mut Tx<'_>,
    report_id: Uuid,
    enrolment_id: Uuid,
    recipients: &[Uuid],
    urgent: bool,
) -> sqlx::Result<Option<Enqueued>> {
    let context = TraceContext::current();
    // The site is asked once, not once a row: the sub-query after RETURNING depends on none.
    query_as!(
        Enqueued,
        r#"INSERT INTO clinical.notification (report_id, site_id, recipient_id, channel, urgent, traceparent,
                                             tracestate, due_at, gathered)
           SELECT $1, site_id, recipient_id, channel, $4, $5, $6, coalesce(told_at, now()), told_at IS NOT NULL
           FROM clinical.enrolment
                JOIN clinical.study USING (study_id)
                CROSS JOIN LATERAL (
                    SELECT CASE WHEN NOT $4 AND told_singly <= (
                        SELECT count(*)
                        FROM clinical.report
                        WHERE report.enrolment_id = enrolment.enrolment_id AND report_id <> $1
                          AND received_at > now() - gather_for
                    ) THEN coalesce((
                        SELECT min(due_at)
                        FROM clinical.notification AS waiting JOIN clinical.report USING (report_id)
                        WHERE waiting.site_id = enrolment.site_id AND report.enrolment_id = enrolment.enrolment_id
                          AND gathered AND state = 'pending' AND due_at > now()
                    ), now() + gather_for) END AS told_at
                ) AS gathering,
                (SELECT DISTINCT recipient_id FROM unnest($3::uuid[]) AS given (recipient_id)) AS recipient,
                unnest(ARRAY['sms', 'email']) AS channel
           WHERE enrolment_id = $2
           RETURNING due_at, (
               SELECT ARRAY[quiet_from::text, quiet_until::text, site.time_zone]
               FROM clinical.enrolment JOIN clinical.site USING (site_id)
               WHERE enrolment_id = $2 AND quiet_from IS NOT NULL AND NOT $4
           ) AS "quiet_hours: Vec<String>""#,
        report_id,
        enrolment_id,
        recipients,
        urgent,
        context.to_string(),
        context.trace_state(),
    )
    .fetch_all(tx)
    .await
    .map(|rows| rows.into_iter().next())
}

/// Puts notifications of a report that nobody was told of into the outbox, for those nurses who had none yet; gives how
/// many nurses those are. `recipients` and `site_ids` are of one length: each nurse and the site where she works.
pub(crate) async fn escalate(
    executor: impl PgExecutor<'_>,
    report_id: Uuid,
    recipients: &[Uuid],
    site_ids: &[Uuid],
) -> sqlx::Result<usize> {
    let message = Message { system: "postgresql", destination: OUTBOX, id: report_id.to_string() };
    Task::create("create notification", message)
        .run(async {
            let context = TraceContext::current();
            let told: Vec<Uuid> = query_scalar!(
                "INSERT INTO clinical.notification (report_id, site_id, recipient_id, channel, urgent, gathered,
                                                    study_id, traceparent, tracestate)
                 SELECT report_id, given.site_id, given.recipient_id, channel, urgent, NOT urgent,
                        CASE WHEN given.site_id <> untold_report.site_id THEN study_id END, $4, $5
                 FROM clinical.untold_report,
                      unnest($2::uuid[], $3::uuid[]) AS given (recipient_id, site_id),
                      unnest(ARRAY['sms', 'email']) AS channel
                 WHERE report_id = $1
                 ON CONFLICT (dedupe_key) DO NOTHING
                 RETURNING recipient_id",
                report_id,
                recipients,
                site_ids,
                context.to_string(),
                context.trace_state(),
            )
            .fetch_all(executor)
            .await?;
            Ok(told.into_iter().collect::<HashSet<_>>().len())
        })
        .await
}

async fn hold_back(tx: &mut Tx<'_>, report_id: Uuid, until: DateTime<Utc>) -> sqlx::Result<()> {
    query!("UPDATE clinical.notification SET due_at = $2 WHERE report_id = $1", report_id, until)
        .execute(tx)
        .await
        .map(drop)
}

/// Leases what is due of a report's notifications. What another worker holds is skipped, not waited for.
pub(crate) async fn claim(
    executor: impl PgExecutor<'_>,
    report_id: Uuid,
    channels: &[String],
    lease: Duration,
) -> sqlx::Result<Vec<Claimed>> {
    query_as!(
        Claimed,
        r#"UPDATE clinical.notification
           SET lease_until = now() + $3, attempts = attempts + 1
           WHERE notification_id IN (
               SELECT notification_id
               FROM clinical.notification
               WHERE report_id = $1 AND channel = ANY($2) AND state = 'pending' AND due_at <= now()
                 AND (lease_until IS NULL OR lease_until <= now())
               FOR UPDATE SKIP LOCKED
           )
           RETURNING notification_id, report_id, site_id, recipient_id, channel, urgent, attempts, traceparent,
                     tracestate, study_id, gathered,
                     now() AS "claimed_at!", clinical.micros(now()) - clinical.micros(created_at) AS "age!",
                     (SELECT ARRAY[quiet_from::text, quiet_until::text, time_zone]
                      FROM clinical.site
                      WHERE site.site_id = notification.site_id AND quiet_from IS NOT NULL AND NOT urgent
                     ) AS "quiet_hours: Vec<String>""#,
        report_id,
        channels,
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
    channels: &[String],
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
           RETURNING notification_id, report_id, site_id, recipient_id, channel, urgent, attempts, traceparent,
                     tracestate, study_id, gathered,
                     now() AS "claimed_at!", clinical.micros(now()) - clinical.micros(created_at) AS "age!",
                     (SELECT ARRAY[quiet_from::text, quiet_until::text, time_zone]
                      FROM clinical.site
                      WHERE site.site_id = notification.site_id AND quiet_from IS NOT NULL AND NOT urgent
                     ) AS "quiet_hours: Vec<String>""#,
        interval(overdue),
        limit,
        channels,
        interval(lease),
        COMPANIONS,
    )
    .fetch_all(executor)
    .await
}

/// Gives claims back that came to no attempt, but for those of which a later one has begun. `attempts` are theirs.
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
         WHERE notification.notification_id = held.notification_id AND attempts = attempt AND state = 'pending'",
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
         WHERE notification.notification_id = held.notification_id AND attempts = attempt AND state = 'pending'",
        &ids,
        &attempts,
        &ends,
    )
    .execute(executor)
    .await
    .map(drop)
}

/// A site's notifications that are `dead`, `cancelled`, or `uncertain`, the last of which may still be tried again;
/// newest first, from the one after `after`.
pub(crate) async fn list_untold(
    executor: impl PgExecutor<'_>,
    site_id: Uuid,
    state: &str,
    after: Option<(DateTime<Utc>, Uuid)>,
    limit: i64,
) -> sqlx::Result<Vec<Untold>> {
    let (time, id) = after.unzip();
    query_as!(
        Untold,
        "SELECT notification_id, report_id, recipient_id, channel, urgent, created_at, attempts,
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
         LIMIT $5",
        site_id,
        state,
        time,
        id,
        limit,
    )
    .fetch_all(executor)
    .await
}

/// Makes a notification of one of the sites due that was given up or may not have arrived; says whether there was such
/// a one, held by nobody.
pub(crate) async fn resend(
    executor: impl PgExecutor<'_>,
    notification_id: Uuid,
    nurse_id: Uuid,
    site_ids: &[Uuid],
) -> sqlx::Result<bool> {
    let done = query!(
        "UPDATE clinical.notification
         SET state = 'pending', due_at = now(), lease_until = NULL, resent_at = now(), resent_by = $2
         WHERE notification_id = $1 AND site_id = ANY($3)
           AND (state IN ('dead', 'cancelled', 'uncertain')
                OR uncertain AND state = 'pending' AND (lease_until IS NULL OR lease_until <= now()))",
        notification_id,
        nurse_id,
        site_ids,
    )
    .execute(executor)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Whether there is such a notification of one of the sites.
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

/// How much waits in the outbox.
pub(crate) struct Backlog {
    /// Notifications that have come to no end.
    pub(crate) depth: f64,
    /// Seconds since the first one of them was due; zero if none is.
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

/// A notification that does not move on, or that has come to an end which no attempt explains.
pub(crate) struct Stuck {
    pub(crate) notification_id: Uuid,
    pub(crate) state: String,
    /// How many there are of them.
    pub(crate) total: i64,
}

/// The first `limit` of those that nobody has touched for `stuck_after` although they are due, those that came to no end within
/// `pending_after`, and those whose attempts do not say what their state says. Quiet hours, of less than a day,
/// may have come before a last attempt.
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
