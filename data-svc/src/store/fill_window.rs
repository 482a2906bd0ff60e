use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sqlx::{PgExecutor, query};
use uuid::Uuid;

/// Half open: `[opens_at, closes_at)`.
pub(crate) struct Window {
    pub(crate) window_id: Uuid,
    pub(crate) opens_at: DateTime<Utc>,
    pub(crate) closes_at: DateTime<Utc>,
    pub(crate) sync_until: DateTime<Utc>,
    /// The newest revision of the report that was captured in it.
    pub(crate) report_id: Option<Uuid>,
}

impl Window {
    /// A window from the columns of an outer join. `None` without an id.
    pub(super) fn from_columns(
        window_id: Option<Uuid>,
        opens_at: Option<DateTime<Utc>>,
        closes_at: Option<DateTime<Utc>>,
        sync_until: Option<DateTime<Utc>>,
        report_id: Option<Uuid>,
    ) -> Option<Self> {
        Some(Self {
            window_id: window_id?,
            opens_at: opens_at?,
            closes_at: closes_at?,
            sync_until: sync_until?,
            report_id,
        })
    }
}

/// How many windows of a site have closed, and how many of these have a report.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) closed: u64,
    pub(crate) answered: u64,
}

/// Windows as arrays of their columns.
pub(crate) struct Columns {
    /// Numbers in the plan, from 1.
    pub(crate) seqs: Vec<i32>,
    pub(crate) opens_at: Vec<DateTime<Utc>>,
    pub(crate) closes_at: Vec<DateTime<Utc>>,
    pub(crate) sync_until: Vec<DateTime<Utc>>,
}

/// Stores an assignment's windows, computed in a time zone. Windows that another copy of the service has stored stay as
/// they are.
pub(crate) async fn insert(
    executor: impl PgExecutor<'_>,
    assignment_id: Uuid,
    time_zone: &str,
    windows: &Columns,
) -> sqlx::Result<()> {
    let Columns { seqs, opens_at, closes_at, sync_until } = windows;
    // No conflict target: with one, two copies that insert at the same time could wait for each other over the
    // exclusion constraint.
    query!(
        "INSERT INTO clinical.fill_window (assignment_id, time_zone, seq, opens_at, closes_at, sync_until)
         SELECT $1, $6, made.*
         FROM unnest($2::integer[], $3::timestamptz[], $4::timestamptz[], $5::timestamptz[]) AS made
         ON CONFLICT DO NOTHING",
        assignment_id,
        seqs,
        opens_at,
        closes_at,
        sync_until,
        time_zone,
    )
    .execute(executor)
    .await
    .map(drop)
}

/// Moves those of an assignment's windows that have not opened to where they are in the patient's new time zone.
/// `windows` are all windows of the plan in that zone. Does nothing if another copy of the service has done so, or if
/// the patient has changed the time zone once more.
pub(crate) async fn move_unopened(
    executor: impl PgExecutor<'_>,
    assignment_id: Uuid,
    time_zone: &str,
    windows: &Columns,
) -> sqlx::Result<()> {
    let Columns { seqs, opens_at, closes_at, sync_until } = windows;
    query!(
        "SELECT clinical.move_windows($1, $2, $3, $4, $5, $6)",
        assignment_id,
        time_zone,
        seqs,
        opens_at,
        closes_at,
        sync_until,
    )
    .execute(executor)
    .await
    .map(drop)
}

/// Windows that have closed so far, by site.
pub(crate) async fn count_by_site(
    executor: impl PgExecutor<'_>,
    study_id: Uuid,
    site_ids: &[Uuid],
) -> sqlx::Result<HashMap<Uuid, Counts>> {
    let rows = query!(
        r#"SELECT site_id, count(*) AS "closed!", count(report_id) AS "answered!"
           FROM clinical.fill_window
           JOIN clinical.assignment USING (assignment_id)
           JOIN clinical.enrolment USING (enrolment_id)
           LEFT JOIN clinical.report ON report.window_id = fill_window.window_id AND report.revision = 1
           WHERE study_id = $1 AND site_id = ANY($2) AND closes_at <= now()
           GROUP BY site_id"#,
        study_id,
        site_ids,
    )
    .fetch_all(executor)
    .await?;
    let counts =
        |closed: i64, answered: i64| Counts { closed: closed.unsigned_abs(), answered: answered.unsigned_abs() };
    Ok(rows.into_iter().map(|row| (row.site_id, counts(row.closed, row.answered))).collect())
}
