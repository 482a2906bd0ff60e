use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use proto::Captured;
use sqlx::{PgExecutor, query, query_as};
use uuid::Uuid;

use super::fill_window::Window;
use super::idempotency::Stored;
use crate::values::{Disposition, Schedule};

/// What the rules must know before a report can be stored.
pub(crate) struct Assignment {
    pub(crate) site_id: Uuid,
    pub(crate) enrolled_at: DateTime<Utc>,
    /// Set once the study is closed: when it closed, and until when reports without a window that were captured before
    /// may still arrive.
    pub(crate) closing: Option<(DateTime<Utc>, DateTime<Utc>)>,
    pub(crate) schedule: Schedule,
    /// Canonical URL of the questionnaire.
    pub(crate) url: String,
    pub(crate) version: String,
    /// JSON.
    pub(crate) definition: String,
    pub(crate) retired_at: Option<DateTime<Utc>>,
    /// The window that contains the time of capture.
    pub(crate) window: Option<Window>,
    /// Whether it is scheduled and its windows are not made yet.
    pub(crate) windows_pending: bool,
    pub(crate) stored: Option<Stored>,
}

/// An assignment in the list of a patient.
pub(crate) struct Listed {
    pub(crate) assignment_id: Uuid,
    pub(crate) questionnaire_id: String,
    pub(crate) version: String,
    /// Canonical URL of the questionnaire.
    pub(crate) url: String,
    pub(crate) title: String,
    pub(crate) retired_at: Option<DateTime<Utc>>,
    pub(crate) schedule: Schedule,
    pub(crate) time_zone: String,
    /// The window that is open now, else the next one.
    pub(crate) window: Option<Window>,
}

/// A scheduled assignment that has no windows yet, or whose windows must move.
pub(crate) struct Unmade {
    pub(crate) assignment_id: Uuid,
    /// Whether it has windows already, in a time zone that the patient has left.
    pub(crate) has_windows: bool,
    /// Day 0, in the patient's time zone.
    pub(crate) baseline_date: NaiveDate,
    /// The patient's time zone, an IANA name.
    pub(crate) time_zone: String,
    /// Days from the baseline date to the first window.
    pub(crate) first_day: i32,
    /// Days from one window to the next.
    pub(crate) every_days: i32,
    /// How many windows there should be.
    pub(crate) windows: i32,
    /// Local time of day.
    pub(crate) opens: NaiveTime,
    /// Local time of day. If it is not later than `opens`, it is on the next day.
    pub(crate) closes: NaiveTime,
    /// How long after a window's end its report may still arrive, in seconds.
    pub(crate) sync_for: i64,
}

/// A person's own assignment, with the window that contains `captured_at`, and what the idempotency key has stored
/// before in the same enrolment.
pub(crate) async fn find(
    executor: impl PgExecutor<'_>,
    assignment_id: Uuid,
    person_id: Uuid,
    key: &str,
    captured_at: Option<Captured>,
) -> sqlx::Result<Option<Assignment>> {
    let row = query!(
        r#"SELECT enrolment.site_id, enrolment.enrolled_at,
                  study.closed_at, study.closed_at + study.sync_for AS closed_until,
                  coalesce(study.closed_at <= now(), false) AS "study_closed!",
                  assignment.schedule AS "schedule: Schedule", questionnaire_version.url, questionnaire_version.version,
                  questionnaire_version.definition::text AS "definition!",
                  questionnaire_version.retired_at,
                  fill_window.window_id AS "window_id?", fill_window.opens_at AS "opens_at?",
                  fill_window.closes_at AS "closes_at?", fill_window.sync_until AS "sync_until?",
                  (SELECT used.report_id FROM clinical.report AS used
                   WHERE used.window_id = fill_window.window_id
                   ORDER BY used.revision DESC LIMIT 1) AS used_by,
                  (assignment.schedule = 'scheduled' AND fill_window.window_id IS NULL
                   AND NOT EXISTS (SELECT FROM clinical.fill_window AS made
                                   WHERE made.assignment_id = assignment.assignment_id)) AS "windows_pending!",
                  stored.report_id AS "stored_id?", stored.disposition AS "disposition?: Disposition",
                  stored.revision AS "revision?", idempotency.fingerprint AS "fingerprint?", idempotency.review_id
           FROM clinical.assignment
           JOIN clinical.enrolment USING (enrolment_id)
           JOIN clinical.study USING (study_id)
           JOIN clinical.questionnaire_version USING (questionnaire_version_id)
           LEFT JOIN clinical.fill_window
                  ON fill_window.assignment_id = assignment.assignment_id
                 AND tstzrange(fill_window.opens_at, fill_window.closes_at) @> $4::timestamptz
           LEFT JOIN clinical.idempotency
                  ON idempotency.enrolment_id = enrolment.enrolment_id AND idempotency.key = $3
           LEFT JOIN clinical.report AS stored ON stored.report_id = idempotency.report_id
           WHERE assignment.assignment_id = $1 AND enrolment.person_id = $2"#,
        assignment_id,
        person_id,
        key,
        captured_at.map(Captured::time),
    )
    .fetch_optional(executor)
    .await?;
    Ok(row.map(|row| Assignment {
        site_id: row.site_id,
        enrolled_at: row.enrolled_at,
        closing: row.closed_at.zip(row.closed_until).filter(|_| row.study_closed),
        schedule: row.schedule,
        url: row.url,
        version: row.version,
        definition: row.definition,
        retired_at: row.retired_at,
        window: Window::from_columns(row.window_id, row.opens_at, row.closes_at, row.sync_until, row.used_by),
        windows_pending: row.windows_pending,
        stored: Stored::from_columns(row.stored_id, row.revision, row.fingerprint, row.disposition, row.review_id),
    }))
}

/// A person's own assignments, each with its current or next window. Titles are in the first of the languages that the
/// questionnaire has.
pub(crate) async fn list(
    executor: impl PgExecutor<'_>,
    person_id: Uuid,
    languages: &[String],
) -> sqlx::Result<Vec<Listed>> {
    let rows = query!(
        r#"SELECT assignment.assignment_id, questionnaire_id, version, url,
                  coalesce((SELECT texts ->> '/title'
                            FROM clinical.translation(questionnaire_version.questionnaire_version_id, $2)),
                           definition ->> 'title') AS "title!",
                  retired_at, schedule AS "schedule: Schedule", enrolment.time_zone, current.window_id AS "window_id?", current.opens_at AS "opens_at?",
                  current.closes_at AS "closes_at?", current.sync_until AS "sync_until?",
                  (SELECT used.report_id FROM clinical.report AS used
                   WHERE used.window_id = current.window_id
                   ORDER BY used.revision DESC LIMIT 1) AS used_by
           FROM clinical.assignment
           JOIN clinical.enrolment USING (enrolment_id)
           JOIN clinical.questionnaire_version USING (questionnaire_version_id)
           LEFT JOIN LATERAL (
               SELECT window_id, opens_at, closes_at, sync_until
               FROM clinical.fill_window
               WHERE fill_window.assignment_id = assignment.assignment_id AND closes_at > now()
               ORDER BY seq
               LIMIT 1
           ) AS current ON true
           WHERE person_id = $1
           ORDER BY questionnaire_id, version, schedule, assignment_id"#,
        person_id,
        languages,
    )
    .fetch_all(executor)
    .await?;
    let listed = rows.into_iter().map(|row| Listed {
        assignment_id: row.assignment_id,
        questionnaire_id: row.questionnaire_id,
        version: row.version,
        url: row.url,
        title: row.title,
        retired_at: row.retired_at,
        schedule: row.schedule,
        time_zone: row.time_zone,
        window: Window::from_columns(row.window_id, row.opens_at, row.closes_at, row.sync_until, row.used_by),
    });
    Ok(listed.collect())
}

/// Scheduled assignments without windows, and those with windows that have not opened and are in a time zone that the
/// patient has left. Ordered by id, from the one after `after`.
pub(crate) async fn list_unmade(executor: impl PgExecutor<'_>, after: Uuid, limit: i64) -> sqlx::Result<Vec<Unmade>> {
    // Reads one index entry for each assignment, its last window, not all windows.
    query_as!(
        Unmade,
        r#"SELECT assignment_id, baseline_date, enrolment.time_zone, first_day AS "first_day!", every_days AS "every_days!",
                  windows AS "windows!", opens AS "opens!", closes AS "closes!", last.seq IS NOT NULL AS "has_windows!",
                  extract(epoch FROM sync_for)::bigint AS "sync_for!"
           FROM clinical.assignment
           JOIN clinical.enrolment USING (enrolment_id)
           LEFT JOIN LATERAL (
               SELECT seq, opens_at, time_zone
               FROM clinical.fill_window
               WHERE fill_window.assignment_id = assignment.assignment_id
               ORDER BY seq DESC
               LIMIT 1
           ) AS last ON true
           WHERE schedule = 'scheduled' AND assignment_id > $1
             AND (last.seq IS NULL OR last.opens_at > now() AND last.time_zone <> enrolment.time_zone)
           ORDER BY assignment_id
           LIMIT $2"#,
        after,
        limit,
    )
    .fetch_all(executor)
    .await
}
