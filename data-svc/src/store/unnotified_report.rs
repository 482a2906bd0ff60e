use std::time::Duration;

use chrono::{DateTime, Utc};
use service_kit::database::interval;
use sqlx::{PgExecutor, query, query_as, query_scalar};
use uuid::Uuid;

/// An unnotified report: no nurse was notified of it, and no notification is on its way.
pub(crate) struct Unnotified {
    pub(crate) report_id: Uuid,
    pub(crate) urgent: bool,
}

/// Records those of the reports that are unnotified; returns those that are newly found.
pub(crate) async fn record(executor: impl PgExecutor<'_>, report_ids: &[Uuid]) -> sqlx::Result<Vec<Unnotified>> {
    query_as!(
        Unnotified,
        "INSERT INTO clinical.unnotified_report (report_id, study_id, site_id, urgent, escalate_at)
         SELECT report_id, study_id, site_id, worst.urgent,
                now() + CASE WHEN worst.urgent THEN interval '0' ELSE escalate_after END
         FROM clinical.unnotified
         JOIN clinical.enrolment USING (enrolment_id)
         JOIN clinical.study USING (study_id)
         CROSS JOIN LATERAL (
             SELECT EXISTS (SELECT FROM clinical.alert WHERE alert.report_id = unnotified.report_id AND alert.urgent) AS urgent
         ) AS worst
         WHERE report_id = ANY($1)
         ON CONFLICT (report_id) DO UPDATE SET escalate_at = excluded.escalate_at, found_at = excluded.found_at
         WHERE unnotified_report.escalate_at IS NULL
         RETURNING report_id, urgent",
        report_ids,
    )
    .fetch_all(executor)
    .await
}

/// Unnotified reports that were overlooked, because the process that should have recorded them crashed. A report that was
/// recorded before is among them if notifications that were created or resent since then have ended.
pub(crate) async fn overlooked(executor: impl PgExecutor<'_>, limit: i64) -> sqlx::Result<Vec<Uuid>> {
    query_scalar!(
        r#"SELECT DISTINCT report_id
           FROM clinical.notification AS ended
           WHERE state IN ('dead', 'uncertain', 'cancelled')
             AND NOT EXISTS (
                 SELECT
                 FROM clinical.unnotified_report
                 WHERE unnotified_report.report_id = ended.report_id
                   AND (escalate_at IS NOT NULL OR found_at >= coalesce(ended.resent_at, ended.created_at))
             )
             AND EXISTS (SELECT FROM clinical.unnotified WHERE unnotified.report_id = ended.report_id)
           LIMIT $1"#,
        limit,
    )
    .fetch_all(executor)
    .await
}

/// An unnotified report of which the nurses of the whole study should be notified.
pub(crate) struct Escalation {
    pub(crate) report_id: Uuid,
    pub(crate) site_ids: Vec<Uuid>,
}

/// Leases unnotified reports that are due to be escalated, urgent ones first, for the time `lease`. A report that is not
/// unnotified any more is left out, and is not escalated later either.
pub(crate) async fn claim(executor: impl PgExecutor<'_>, limit: i64, lease: Duration) -> sqlx::Result<Vec<Escalation>> {
    query_as!(
        Escalation,
        r#"WITH claimed AS (
               UPDATE clinical.unnotified_report
               SET escalate_at = CASE
                       WHEN EXISTS (SELECT FROM clinical.unnotified WHERE unnotified.report_id = unnotified_report.report_id)
                       THEN now() + $2
                   END
               WHERE report_id IN (
                   SELECT report_id
                   FROM clinical.unnotified_report
                   WHERE escalate_at <= now()
                   ORDER BY urgent DESC, escalate_at
                   LIMIT $1
                   FOR UPDATE SKIP LOCKED
               )
               RETURNING report_id, study_id, site_id, escalate_at
           )
           SELECT report_id,
                  (
                      SELECT array_agg(site_id ORDER BY site_id <> claimed.site_id, site_id)
                      FROM clinical.site
                      WHERE site.study_id = claimed.study_id
                  ) AS "site_ids!"
           FROM claimed
           WHERE escalate_at IS NOT NULL"#,
        limit,
        interval(lease),
    )
    .fetch_all(executor)
    .await
}

/// Postpones a report of which nobody can be notified. Returns whether it is still unnotified.
pub(crate) async fn put_off(
    executor: impl PgExecutor<'_>,
    report_id: Uuid,
    again_after: Duration,
) -> sqlx::Result<bool> {
    let waiting = query!(
        "UPDATE clinical.unnotified_report
         SET escalate_at = now() + $2
         WHERE report_id = $1 AND escalate_at IS NOT NULL
           AND EXISTS (SELECT FROM clinical.unnotified WHERE unnotified.report_id = unnotified_report.report_id)",
        report_id,
        interval(again_after),
    );
    Ok(waiting.execute(executor).await?.rows_affected() > 0)
}

/// An unnotified report in the list of a study.
pub(crate) struct Listed {
    pub(crate) report_id: Uuid,
    pub(crate) site_id: Uuid,
    pub(crate) urgent: bool,
    pub(crate) found_at: DateTime<Utc>,
}

/// A study's reports of which no nurse of their own site was notified and which nobody has reviewed. Newest first, from
/// the one after `after`. Nurses who were notified at another site find the reports here.
pub(crate) async fn list(
    executor: impl PgExecutor<'_>,
    study_id: Uuid,
    after: Option<(DateTime<Utc>, Uuid)>,
    limit: i64,
) -> sqlx::Result<Vec<Listed>> {
    let (time, id) = after.unzip();
    query_as!(
        Listed,
        "SELECT report_id, site_id, urgent, found_at
         FROM clinical.unnotified_report
         WHERE study_id = $1
           AND ($2::timestamptz IS NULL OR (found_at, report_id) < ($2, $3::uuid))
           AND NOT EXISTS (
               SELECT
               FROM clinical.notification AS told
               WHERE told.report_id = unnotified_report.report_id AND state = 'delivered' AND told.study_id IS NULL
           )
           AND NOT clinical.is_reviewed(report_id)
         ORDER BY found_at DESC, report_id DESC
         LIMIT $4",
        study_id,
        time,
        id,
        limit,
    )
    .fetch_all(executor)
    .await
}

/// An unnotified report, and how many there are in all.
pub(crate) struct Found {
    pub(crate) report_id: Uuid,
    pub(crate) total: i64,
}

/// The first `limit` of all unnotified reports, recorded or not.
pub(crate) async fn survey(executor: impl PgExecutor<'_>, limit: i64) -> sqlx::Result<Vec<Found>> {
    query_as!(
        Found,
        r#"SELECT report_id AS "report_id!", count(*) OVER () AS "total!"
           FROM clinical.unnotified
           ORDER BY received_at
           LIMIT $1"#,
        limit,
    )
    .fetch_all(executor)
    .await
}
