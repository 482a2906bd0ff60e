use std::collections::HashSet;

use chrono::{DateTime, Utc};
use sqlx::{PgExecutor, query, query_as, query_scalar};
use telemetry::TraceContext;
use telemetry::postgres::Tx;
use uuid::Uuid;

use crate::values::Channel;

/// What all notifications of a report have in common.
pub(crate) struct Enqueued {
    pub(crate) due_at: DateTime<Utc>,
    /// The site's quiet hours (from, until, IANA time zone). `None` if the report is urgent.
    pub(crate) quiet_hours: Option<Vec<String>>,
}

/// Stores one notification per recipient and channel, with the current trace context. If the enrolment has sent more
/// reports than the study wants delivered one by one, notifications that are not urgent are gathered: they wait to be
/// delivered with others. `None` if there are no recipients.
pub(crate) async fn insert(
    tx: &mut Tx<'_>,
    report_id: Uuid,
    enrolment_id: Uuid,
    recipients: &[Uuid],
    urgent: bool,
) -> sqlx::Result<Option<Enqueued>> {
    let context = TraceContext::current();
    // The sub-query after RETURNING does not depend on the row, so the site is read once, not once per row. The array
    // comes from a sub-query, so that the planner does not know its length and keeps one generic plan: planning takes
    // as long as execution. OFFSET makes Postgres compute `told_at` once, not again in every row.
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
                          AND gathered AND state = 'pending' AND due_at > now() AND attempts = 0
                    ), now() + gather_for) END AS told_at
                    OFFSET 0
                ) AS gathering,
                (SELECT DISTINCT recipient_id FROM unnest((SELECT $3::uuid[])) AS given (recipient_id)) AS recipient,
                unnest((SELECT $7::text[])) AS channel
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
        Channel::ALL as &[Channel],
    )
    .fetch_all(tx)
    .await
    .map(|rows| rows.into_iter().next())
}

/// Stores notifications of an unnotified report, for those of the nurses who had none yet; returns how many nurses those
/// are. `recipients` and `site_ids` have the same length: each nurse and the site where she works.
pub(crate) async fn insert_escalated(
    executor: impl PgExecutor<'_>,
    report_id: Uuid,
    recipients: &[Uuid],
    site_ids: &[Uuid],
) -> sqlx::Result<usize> {
    let context = TraceContext::current();
    let told: Vec<Uuid> = query_scalar!(
        "INSERT INTO clinical.notification (report_id, site_id, recipient_id, channel, urgent, gathered,
                                            study_id, traceparent, tracestate)
         SELECT report_id, given.site_id, given.recipient_id, channel, urgent, NOT urgent,
                CASE WHEN given.site_id <> unnotified_report.site_id THEN study_id END, $4, $5
         FROM clinical.unnotified_report,
              unnest($2::uuid[], $3::uuid[]) AS given (recipient_id, site_id),
              unnest((SELECT $6::text[])) AS channel
         WHERE report_id = $1
         ON CONFLICT (dedupe_key) DO NOTHING
         RETURNING recipient_id",
        report_id,
        recipients,
        site_ids,
        context.to_string(),
        context.trace_state(),
        Channel::ALL as &[Channel],
    )
    .fetch_all(executor)
    .await?;
    Ok(told.into_iter().collect::<HashSet<_>>().len())
}

/// Postpones all notifications of a report.
pub(crate) async fn put_off(tx: &mut Tx<'_>, report_id: Uuid, until: DateTime<Utc>) -> sqlx::Result<()> {
    query!("UPDATE clinical.notification SET due_at = $2 WHERE report_id = $1", report_id, until)
        .execute(tx)
        .await
        .map(drop)
}

/// Makes a notification of one of the sites due again that was given up or may not have arrived, and that no worker
/// holds. Returns whether there was one.
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
