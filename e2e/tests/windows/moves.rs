//! When a patient moves to another time zone, the windows that have not opened yet move too.

use chrono::{DateTime, Utc};
use e2e::{DEADLINE, NURSE, PATIENT, seen};
use serde_json::json;
use sqlx::PgConnection;
use testkit::poll;
use testkit::stack::{Service, Stack};
use uuid::Uuid;

/// A window's number, time zone, start and end, and whether it starts and ends at midnight there.
type Window = (i32, String, DateTime<Utc>, DateTime<Utc>, bool);

async fn windows(database: &mut PgConnection, assignment_id: Uuid) -> anyhow::Result<Vec<Window>> {
    let windows = sqlx::query_as(
        "SELECT seq, time_zone, opens_at, closes_at,
                (opens_at AT TIME ZONE time_zone)::time = '00:00' AND (closes_at AT TIME ZONE time_zone)::time = '00:00'
         FROM clinical.fill_window WHERE assignment_id = $1 ORDER BY seq",
    );
    Ok(windows.bind(assignment_id).fetch_all(database).await?)
}

/// Daily windows from midnight to midnight, so that one is always open.
async fn daily(database: &mut PgConnection) -> anyhow::Result<Uuid> {
    let daily = sqlx::query_scalar(
        "INSERT INTO clinical.assignment (enrolment_id, questionnaire_version_id, schedule,
                                          first_day, every_days, windows, opens, closes, sync_for)
         SELECT enrolment_id, questionnaire_version_id, schedule, 0, 1, 30, '00:00', '00:00', sync_for
         FROM clinical.assignment WHERE assignment_id = $1
         RETURNING assignment_id",
    );
    Ok(daily.bind(PATIENT.scheduled).fetch_one(database).await?)
}

#[tokio::test]
async fn windows_that_have_not_opened_move_with_the_patient_and_the_others_stay() -> anyhow::Result<()> {
    let builder = Stack::builder().env(Service::DataSvc, "EPRO_SCHEDULE__MATERIALISE_EVERY", "100ms");
    let stack = builder.start().await?;
    let client = stack.client();
    let patient = client.login(PATIENT.login, PATIENT.pin).await?;
    let mut database = stack.database.connect().await?;
    let assignment_id = daily(&mut database).await?;
    let made = async || windows(&mut database, assignment_id).await;
    let berlin = poll::until(DEADLINE, made, |windows| windows.len() == 30).await?;
    let used = client.submit_new(&patient, assignment_id).await?.expect_status(201)?.text("report_id")?;

    let mut before = berlin.clone();
    // First to the east, where the day begins earlier, then to the west.
    for zone in ["Asia/Tokyo", "America/New_York"] {
        let moved_at = Utc::now();
        sqlx::query("UPDATE clinical.enrolment SET time_zone = $2 WHERE person_id = $1")
            .bind(PATIENT.id)
            .bind(zone)
            .execute(&mut database)
            .await?;
        let now = async || windows(&mut database, assignment_id).await;
        let after = poll::until(DEADLINE, now, |windows| windows.last().is_some_and(|last| last.1 == zone)).await?;
        let (opened, moved): (Vec<_>, Vec<_>) = after.iter().cloned().partition(|window| window.2 <= moved_at);
        assert_eq!(opened, before[..opened.len()], "those that have opened stay");
        assert_eq!(moved.len(), before.len() - opened.len(), "none is lost");
        assert!(moved.iter().all(|window| window.1 == zone), "{moved:?}");
        // The first one may start later, after the end of the one that is open.
        assert!(moved.iter().skip(1).all(|window| window.4), "{moved:?}");
        assert!(after.windows(2).all(|pair| pair[0].3 <= pair[1].2), "{after:?}");
        before = after;
    }

    let nurse = client.login(NURSE.login, NURSE.pin).await?;
    let trail = seen(&client, &nurse, &format!("/v1/reports/{used}/audit")).await?;
    let events = trail["events"].as_array().cloned().unwrap_or_default();
    let told: Vec<_> = events[1..].iter().map(|event| (&event["action"], &event["changes"])).collect();
    let zones = |from: &str, to: &str| json!({"enrolment": {"time_zone": [from, to]}});
    assert_eq!(told[0], (&json!("enrolment.change"), &zones("Europe/Berlin", "Asia/Tokyo")));
    assert_eq!(
        (told[1].0, &told[1].1["fill_window"]["time_zone"]),
        (&json!("assignment.reschedule"), &json!(["Europe/Berlin", "Asia/Tokyo"]))
    );
    assert_eq!(told[2], (&json!("enrolment.change"), &zones("Asia/Tokyo", "America/New_York")));
    assert_eq!((told[3].0, told.len()), (&json!("assignment.reschedule"), 4));
    let checked = stack.command(Service::DataSvc, &["audit", "verify"]).await?;
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stdout));
    stack.stop().await?;
    Ok(())
}
