//! Brings the study into states that the API cannot produce, by changing the database directly.

use anyhow::ensure;
use chrono::{DateTime, SecondsFormat, SubsecRound, TimeDelta, Utc};
use sqlx::{Connection, PgConnection};
use testkit::poll;
use testkit::stack::Stack;
use uuid::Uuid;

use crate::DEADLINE;

/// The current time in whole seconds. It stays the same when it goes through text and the database.
pub fn now() -> DateTime<Utc> {
    Utc::now().trunc_subsecs(0)
}

/// RFC 3339 as a phone sends it.
pub fn text(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// When a report may be captured, and until when it may arrive.
#[derive(Debug, Clone, Copy)]
pub struct Window {
    pub opens_at: DateTime<Utc>,
    pub closes_at: DateTime<Utc>,
    pub sync_until: DateTime<Utc>,
}

impl Window {
    /// Minutes from [`now`], negative ones in the past.
    pub fn minutes(opens: i64, closes: i64, sync: i64) -> Self {
        let now = now();
        let [opens_at, closes_at, sync_until] = [opens, closes, sync].map(|minutes| now + TimeDelta::minutes(minutes));
        Self { opens_at, closes_at, sync_until }
    }

    /// Opened a minute ago, for a day.
    pub fn open() -> Self {
        Self::minutes(-1, 24 * 60, 48 * 60)
    }
}

/// Makes a scheduled assignment with these windows, for the patient and questionnaire of another one. If no windows are
/// given, data-svc makes them, as it does for every assignment without windows.
///
/// # Errors
/// When the database refuses, for example because windows overlap.
pub async fn schedule(stack: &Stack, like: Uuid, windows: &[Window]) -> anyhow::Result<Uuid> {
    let mut database = stack.database.connect().await?;
    let mut tx = database.begin().await?;
    let assignment_id: Uuid = sqlx::query_scalar(
        "INSERT INTO clinical.assignment (enrolment_id, questionnaire_version_id, schedule,
                                          first_day, every_days, windows, opens, closes, sync_for)
         SELECT enrolment_id, questionnaire_version_id, 'scheduled', 0, 1, $2, '08:00', '20:00', '72 hours'
         FROM clinical.assignment WHERE assignment_id = $1
         RETURNING assignment_id",
    )
    .bind(like)
    .bind(i32::try_from(windows.len().max(1))?)
    .fetch_one(&mut *tx)
    .await?;
    insert_windows(&mut tx, assignment_id, windows).await?;
    tx.commit().await?;
    Ok(assignment_id)
}

/// Makes the windows of a scheduled assignment that has none.
///
/// # Errors
/// When the database refuses, for example because windows overlap.
pub async fn add_windows(stack: &Stack, assignment_id: Uuid, windows: &[Window]) -> anyhow::Result<()> {
    insert_windows(&mut stack.database.connect().await?, assignment_id, windows).await
}

async fn insert_windows(database: &mut PgConnection, assignment_id: Uuid, windows: &[Window]) -> anyhow::Result<()> {
    let column = |of: fn(&Window) -> DateTime<Utc>| windows.iter().map(of).collect::<Vec<_>>();
    sqlx::query(
        "INSERT INTO clinical.fill_window (assignment_id, seq, opens_at, closes_at, sync_until)
         SELECT $1, seq, opens_at, closes_at, sync_until
         FROM unnest($2::timestamptz[], $3::timestamptz[], $4::timestamptz[]) WITH ORDINALITY
              AS made (opens_at, closes_at, sync_until, seq)",
    )
    .bind(assignment_id)
    .bind(column(|window| window.opens_at))
    .bind(column(|window| window.closes_at))
    .bind(column(|window| window.sync_until))
    .execute(database)
    .await?;
    Ok(())
}

/// Waits until data-svc has made the windows of the demo's own assignments, which happens in the background.
///
/// # Errors
/// When the windows are not there in time.
pub async fn windows_made(stack: &Stack) -> anyhow::Result<()> {
    let mut database = stack.database.connect().await?;
    let missing = async || {
        let count: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM clinical.assignment
             WHERE schedule = 'scheduled' AND assignment_id NOT IN (SELECT assignment_id FROM clinical.fill_window)",
        )
        .fetch_one(&mut database)
        .await?;
        Ok(count)
    };
    let missing = poll::until(DEADLINE, missing, |count| *count == 0).await?;
    ensure!(missing == 0, "{missing} assignments have no windows");
    Ok(())
}

/// Retires a questionnaire: it cannot be filled in from `retired_at` on.
///
/// # Errors
/// When it has been retired already.
pub async fn retire(stack: &Stack, questionnaire_id: &str, retired_at: DateTime<Utc>) -> anyhow::Result<()> {
    let statement =
        sqlx::query("UPDATE clinical.questionnaire_version SET retired_at = $2 WHERE questionnaire_id = $1");
    let retired =
        statement.bind(questionnaire_id).bind(retired_at).execute(&mut stack.database.connect().await?).await?;
    ensure!(retired.rows_affected() == 1, "there is no {questionnaire_id}");
    Ok(())
}

/// Closes the study: it accepts no reports from `closed_at` on.
///
/// # Errors
/// When the database cannot be reached.
pub async fn close_study(stack: &Stack, closed_at: DateTime<Utc>) -> anyhow::Result<()> {
    let statement = sqlx::query("UPDATE clinical.study SET closed_at = $1").bind(closed_at);
    statement.execute(&mut stack.database.connect().await?).await?;
    Ok(())
}

/// Deactivates a person: a patient who has withdrawn from the study, or a nurse who has left.
///
/// # Errors
/// When there is no such person.
pub async fn deactivate(stack: &Stack, person_id: Uuid) -> anyhow::Result<()> {
    let statement = sqlx::query("UPDATE identity.person SET active = false WHERE person_id = $1").bind(person_id);
    let left = statement.execute(&mut stack.database.connect().await?).await?;
    ensure!(left.rows_affected() == 1, "there is no such person");
    Ok(())
}
