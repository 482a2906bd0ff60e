//! Finds reports by questionnaire and time of capture.

use chrono::{DateTime, Utc};
use proto::Captured;
use sqlx::{PgExecutor, query};
use uuid::Uuid;

use super::Answers;
use super::read::captured;

/// Whose reports to find, and which ones.
pub(crate) struct Wanted<'a> {
    /// A patient's own.
    pub(crate) person_id: Option<Uuid>,
    /// Those of these sites.
    pub(crate) site_ids: &'a [Uuid],
    /// Canonical URL of the questionnaire.
    pub(crate) url: Option<&'a str>,
    pub(crate) version: Option<&'a str>,
    pub(crate) captured_from: Option<DateTime<Utc>>,
    /// Exclusive.
    pub(crate) captured_before: Option<DateTime<Utc>>,
}

/// The newest revision of a report, with its answers.
pub(crate) struct Found {
    pub(crate) report_id: Uuid,
    pub(crate) assignment_id: Uuid,
    pub(crate) person_id: Uuid,
    pub(crate) questionnaire_id: String,
    pub(crate) version: String,
    /// Canonical URL of the questionnaire.
    pub(crate) url: String,
    pub(crate) revision: i32,
    pub(crate) captured_at: Captured,
    pub(crate) received_at: DateTime<Utc>,
    pub(crate) answers: Answers,
    pub(crate) score: Option<i32>,
    pub(crate) score_band: Option<String>,
}

/// Current revisions, newest first, from the one after a time of arrival and id.
pub(crate) async fn search(
    executor: impl PgExecutor<'_>,
    wanted: &Wanted<'_>,
    after: Option<(DateTime<Utc>, Uuid)>,
    limit: i64,
) -> sqlx::Result<Vec<Found>> {
    // Takes a page of each enrolment in index order, then the first page of all of these.
    let rows = query!(
        r#"SELECT report.report_id, report.assignment_id, person_id, questionnaire_id, version, url, revision, captured_at,
                  captured_offset_seconds, received_at, answers, score, score_band
           FROM clinical.report
           JOIN clinical.enrolment ON enrolment.enrolment_id = report.enrolment_id
           JOIN clinical.assignment ON assignment.assignment_id = report.assignment_id
           JOIN clinical.questionnaire_version USING (questionnaire_version_id)
           WHERE report.report_id IN (
               SELECT page.report_id
               FROM clinical.enrolment
               CROSS JOIN LATERAL (
                   SELECT one.report_id, one.received_at
                   FROM clinical.report AS one
                   JOIN clinical.assignment AS asked ON asked.assignment_id = one.assignment_id
                   JOIN clinical.questionnaire_version AS filled_in USING (questionnaire_version_id)
                   WHERE one.enrolment_id = enrolment.enrolment_id
                     AND (one.received_at, one.report_id) < (coalesce($7::timestamptz, 'infinity'), $8::uuid)
                     AND ($3::text IS NULL OR filled_in.url = $3)
                     AND ($4::text IS NULL OR filled_in.version = $4)
                     AND one.captured_at >= coalesce($5::timestamptz, '-infinity')
                     AND one.captured_at < coalesce($6::timestamptz, 'infinity')
                     AND NOT EXISTS (SELECT FROM clinical.report AS newer WHERE newer.supersedes = one.report_id)
                   ORDER BY one.received_at DESC, one.report_id DESC
                   LIMIT $9
               ) AS page
               WHERE enrolment.person_id = $1 OR enrolment.site_id = ANY($2)
               ORDER BY page.received_at DESC, page.report_id DESC
               LIMIT $9
           )
           ORDER BY received_at DESC, report.report_id DESC"#,
        wanted.person_id,
        wanted.site_ids,
        wanted.url,
        wanted.version,
        wanted.captured_from,
        wanted.captured_before,
        after.map(|(received_at, _)| received_at),
        after.map(|(_, report_id)| report_id),
        limit,
    )
    .fetch_all(executor)
    .await?;
    let found = rows.into_iter().map(|row| Found {
        report_id: row.report_id,
        assignment_id: row.assignment_id,
        person_id: row.person_id,
        questionnaire_id: row.questionnaire_id,
        version: row.version,
        url: row.url,
        revision: row.revision,
        captured_at: captured(row.captured_at, row.captured_offset_seconds),
        received_at: row.received_at,
        answers: Answers(row.answers),
        score: row.score,
        score_band: row.score_band,
    });
    Ok(found.collect())
}
