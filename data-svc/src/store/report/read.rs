//! Reads of reports for patients and nurses.

use std::collections::HashMap;

use chrono::{DateTime, FixedOffset, Utc};
use proto::Captured;
use sqlx::{PgExecutor, query};
use uuid::Uuid;

use super::Answers;
use crate::store::alert::Alert;
use crate::store::review::Review;
use crate::values::{Disposition, ReviewOutcome};

/// One revision of a report.
pub(crate) struct Report {
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
    pub(crate) disposition: Disposition,
    pub(crate) held_because: Vec<String>,
    pub(crate) score: Option<i32>,
    pub(crate) score_band: Option<String>,
    pub(crate) alerts: Vec<Alert>,
    pub(crate) supersedes: Option<Uuid>,
    pub(crate) reason: Option<String>,
    pub(crate) superseded_by: Option<Uuid>,
    /// Number of the newest revision.
    pub(crate) current_revision: i32,
    pub(crate) review: Option<Review>,
    pub(crate) urgent_revisions: Vec<UrgentRevision>,
    /// How many revisions and reviews there are of the whole report.
    pub(crate) state_number: i32,
}

/// A revision that has set off an urgent alert and that nobody has reviewed.
pub(crate) struct UrgentRevision {
    pub(crate) report_id: Uuid,
    pub(crate) revision: i32,
}

/// A line in a list of reports.
pub(crate) struct Summary {
    pub(crate) report_id: Uuid,
    pub(crate) assignment_id: Uuid,
    pub(crate) questionnaire_id: String,
    pub(crate) version: String,
    pub(crate) revision: i32,
    pub(crate) captured_at: Captured,
    pub(crate) received_at: DateTime<Utc>,
    pub(crate) disposition: Disposition,
    /// Outcome of the review.
    pub(crate) review: Option<ReviewOutcome>,
    /// Oldest first. Amended revisions are among them, because what a patient takes back may have been true.
    pub(crate) urgent_revisions: Vec<UrgentRevision>,
    /// Of the questionnaire.
    pub(crate) title: String,
}

/// Whose reports a list holds.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Scope {
    /// A patient's own.
    Person(Uuid),
    /// A site's.
    Site(Uuid),
}

impl Scope {
    /// The person or the site.
    fn ids(self) -> (Option<Uuid>, Option<Uuid>) {
        match self {
            Self::Person(person_id) => (Some(person_id), None),
            Self::Site(site_id) => (None, Some(site_id)),
        }
    }
}

/// How many reports a site has, and how many of these wait for a review.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Counts {
    pub(crate) reports: u64,
    pub(crate) pending: u64,
}

/// A report that is the person's own or belongs to one of the sites.
#[expect(clippy::too_many_lines, reason = "one statement and its columns")]
pub(crate) async fn find(
    executor: impl PgExecutor<'_>,
    report_id: Uuid,
    person_id: Uuid,
    site_ids: &[Uuid],
) -> sqlx::Result<Option<Report>> {
    let row = query!(
        r#"SELECT report.report_id, report.assignment_id, person_id, questionnaire_id, version, url, report.revision,
                  captured_at, captured_offset_seconds, received_at, answers,
                  disposition AS "disposition: Disposition", held_because, score, score_band,
                  supersedes, reason,
                  ARRAY(SELECT rule FROM clinical.alert WHERE alert.report_id = $1 ORDER BY rule) AS "rules!",
                  ARRAY(SELECT urgent FROM clinical.alert WHERE alert.report_id = $1 ORDER BY rule) AS "urgent!",
                  (SELECT newer.report_id FROM clinical.report AS newer WHERE newer.supersedes = $1) AS superseded_by,
                  newest.revision AS "current_revision!", clinical.state_number(newest.report_id) AS "state_number!",
                  ARRAY(SELECT one.report_id FROM clinical.urgent_revisions(newest.report_id) AS one
                        ORDER BY one.revision) AS "urgent_ids!",
                  ARRAY(SELECT one.revision FROM clinical.urgent_revisions(newest.report_id) AS one
                        ORDER BY one.revision) AS "urgent_numbers!",
                  review_id AS "review_id?", reviewer_id AS "reviewer_id?", outcome AS "outcome?: ReviewOutcome",
                  recorded_at AS "recorded_at?"
           FROM clinical.report
           JOIN clinical.enrolment USING (enrolment_id)
           JOIN clinical.assignment ON assignment.assignment_id = report.assignment_id
           JOIN clinical.questionnaire_version USING (questionnaire_version_id)
           CROSS JOIN LATERAL (
               WITH RECURSIVE later AS (
                   SELECT report.report_id, report.revision
                   UNION ALL
                   SELECT newer.report_id, newer.revision
                   FROM later JOIN clinical.report AS newer ON newer.supersedes = later.report_id
               )
               SELECT report_id, revision FROM later ORDER BY revision DESC LIMIT 1
           ) AS newest
           LEFT JOIN clinical.review ON review.report_id = report.report_id
           WHERE report.report_id = $1 AND (person_id = $2 OR site_id = ANY($3))"#,
        report_id,
        person_id,
        site_ids,
    )
    .fetch_optional(executor)
    .await?;
    Ok(row.map(|row| Report {
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
        disposition: row.disposition,
        held_because: row.held_because,
        score: row.score,
        score_band: row.score_band,
        alerts: row.rules.into_iter().zip(row.urgent).map(|(rule, urgent)| Alert { rule, urgent }).collect(),
        supersedes: row.supersedes,
        reason: row.reason,
        superseded_by: row.superseded_by,
        current_revision: row.current_revision,
        review: Review::from_columns(row.review_id, row.reviewer_id, row.outcome, row.recorded_at),
        urgent_revisions: UrgentRevision::from_columns(row.urgent_ids, row.urgent_numbers),
        state_number: row.state_number,
    }))
}

/// Current revisions, newest first, from the one after a time of arrival and id. `reviewed` selects those that wait for
/// a review (`false`) or those that do not (`true`). A reviewed revision still waits if an earlier revision has an
/// urgent alert that nobody has reviewed. Titles are in the first of the languages that the questionnaire has.
#[expect(clippy::too_many_lines, reason = "one statement and its columns")]
pub(crate) async fn list(
    executor: impl PgExecutor<'_>,
    scope: Scope,
    reviewed: Option<bool>,
    after: Option<(DateTime<Utc>, Uuid)>,
    limit: i64,
    languages: &[String],
) -> sqlx::Result<Vec<Summary>> {
    let (person_id, site_id) = scope.ids();
    // Takes a page of each enrolment in index order, then the first page of all of these.
    let rows = query!(
        r#"SELECT report.report_id, report.assignment_id, questionnaire_id, version, revision, captured_at,
                  captured_offset_seconds, received_at, disposition AS "disposition: Disposition",
                  outcome AS "outcome?: ReviewOutcome",
                  ARRAY(SELECT one.report_id FROM clinical.urgent_revisions(report.report_id) AS one
                        ORDER BY one.revision) AS "urgent_ids!",
                  ARRAY(SELECT one.revision FROM clinical.urgent_revisions(report.report_id) AS one
                        ORDER BY one.revision) AS "urgent_numbers!",
                  coalesce((SELECT texts ->> '/title'
                            FROM clinical.translation(questionnaire_version.questionnaire_version_id, $7)),
                           definition ->> 'title') AS "title!"
           FROM clinical.report
           JOIN clinical.assignment ON assignment.assignment_id = report.assignment_id
           JOIN clinical.questionnaire_version USING (questionnaire_version_id)
           LEFT JOIN clinical.review ON review.report_id = report.report_id
           WHERE report.report_id IN (
               SELECT page.report_id
               FROM clinical.enrolment
               CROSS JOIN LATERAL (
                   SELECT one.report_id, one.received_at
                   FROM clinical.report AS one
                   WHERE one.enrolment_id = enrolment.enrolment_id
                     AND (one.received_at, one.report_id) < (coalesce($4::timestamptz, 'infinity'), $5::uuid)
                     AND NOT EXISTS (SELECT FROM clinical.report AS newer WHERE newer.supersedes = one.report_id)
                     AND ($3::boolean IS NULL
                          OR $3 = (EXISTS (SELECT FROM clinical.review WHERE review.report_id = one.report_id)
                                   AND (one.supersedes IS NULL
                                        OR NOT EXISTS (SELECT FROM clinical.urgent_revisions(one.report_id)))))
                   ORDER BY one.received_at DESC, one.report_id DESC
                   LIMIT $6
               ) AS page
               WHERE enrolment.person_id = $1 OR enrolment.site_id = $2
               ORDER BY page.received_at DESC, page.report_id DESC
               LIMIT $6
           )
           ORDER BY received_at DESC, report.report_id DESC"#,
        person_id,
        site_id,
        reviewed,
        after.map(|(received_at, _)| received_at),
        after.map(|(_, report_id)| report_id),
        limit,
        languages,
    )
    .fetch_all(executor)
    .await?;
    let summaries = rows.into_iter().map(|row| Summary {
        report_id: row.report_id,
        assignment_id: row.assignment_id,
        questionnaire_id: row.questionnaire_id,
        version: row.version,
        revision: row.revision,
        captured_at: captured(row.captured_at, row.captured_offset_seconds),
        received_at: row.received_at,
        disposition: row.disposition,
        review: row.outcome,
        urgent_revisions: UrgentRevision::from_columns(row.urgent_ids, row.urgent_numbers),
        title: row.title,
    });
    Ok(summaries.collect())
}

/// Reports stored so far, by site.
pub(crate) async fn count_by_site(
    executor: impl PgExecutor<'_>,
    study_id: Uuid,
    site_ids: &[Uuid],
) -> sqlx::Result<HashMap<Uuid, Counts>> {
    let rows = query!(
        r#"SELECT site_id, count(*) FILTER (WHERE report.revision = 1) AS "reports!",
                  count(*) FILTER (
                      WHERE newer.report_id IS NULL
                        AND (review_id IS NULL
                             OR report.supersedes IS NOT NULL
                                AND EXISTS (SELECT FROM clinical.urgent_revisions(report.report_id)))
                  ) AS "pending!"
           FROM clinical.report
           JOIN clinical.enrolment USING (enrolment_id)
           LEFT JOIN clinical.report AS newer ON newer.supersedes = report.report_id
           LEFT JOIN clinical.review ON review.report_id = report.report_id
           WHERE study_id = $1 AND site_id = ANY($2)
           GROUP BY site_id"#,
        study_id,
        site_ids,
    )
    .fetch_all(executor)
    .await?;
    let counts =
        |reports: i64, pending: i64| Counts { reports: reports.unsigned_abs(), pending: pending.unsigned_abs() };
    Ok(rows.into_iter().map(|row| (row.site_id, counts(row.reports, row.pending))).collect())
}

impl UrgentRevision {
    fn from_columns(report_ids: Vec<Uuid>, revisions: Vec<i32>) -> Vec<Self> {
        report_ids.into_iter().zip(revisions).map(|(report_id, revision)| Self { report_id, revision }).collect()
    }
}

/// A time of capture from its two columns.
pub(super) fn captured(time: DateTime<Utc>, offset_seconds: i32) -> Captured {
    let local = FixedOffset::east_opt(offset_seconds).map(|offset| time.with_timezone(&offset));
    local.unwrap_or_else(|| time.fixed_offset()).into()
}
