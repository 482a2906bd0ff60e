//! When a report may be captured, and when it may arrive.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use e2e::setup::{self, Window, text};
use e2e::{NURSE, PATIENT, seen};
use serde_json::{Map, Value, json};
use sqlx::AssertSqlSafe;
use testkit::client::{Client, Response, Token, report};
use testkit::postgres::Cluster;
use testkit::stack::Stack;
use uuid::Uuid;

mod moves;
mod plan;

/// Submits a diary with this time of capture.
async fn capture(client: &Client, token: &Token, assignment_id: Uuid, captured_at: &str) -> anyhow::Result<Response> {
    let mut body = report(assignment_id);
    body["captured_at"] = json!(captured_at);
    client.submit(token, &Uuid::new_v4().to_string(), &body).await
}

#[tokio::test]
async fn a_window_is_half_open() -> anyhow::Result<()> {
    let stack = Stack::start().await?;
    let client = stack.client();
    let token = client.login(PATIENT.login, PATIENT.pin).await?;
    // Two adjacent windows: the end of the first is the start of the second.
    let windows = [Window::minutes(-60, -30, 60), Window::minutes(-30, 30, 60)];
    let assignment_id = setup::schedule(&stack, PATIENT.assignment, &windows).await?;
    let at_opening = capture(&client, &token, assignment_id, &text(windows[1].opens_at)).await?.expect_status(201)?;
    assert_eq!(at_opening.text("disposition")?, "accepted");
    let last = windows[0].closes_at - TimeDelta::milliseconds(1);
    capture(&client, &token, assignment_id, &text(last)).await?.expect_status(201)?;

    // Each window has its report now.
    for window in windows {
        let inside = window.opens_at + TimeDelta::minutes(1);
        let refused = capture(&client, &token, assignment_id, &text(inside)).await?;
        e2e::problem(&refused, 409, "window-used")?;
    }
    let of_windows: Vec<(i32, i64)> = sqlx::query_as(
        "SELECT seq, count(report_id) FROM clinical.fill_window LEFT JOIN clinical.report USING (window_id)
         WHERE fill_window.assignment_id = $1 GROUP BY seq ORDER BY seq",
    )
    .bind(assignment_id)
    .fetch_all(&mut stack.database.connect().await?)
    .await?;
    assert_eq!(of_windows, [(1, 1), (2, 1)]);
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn what_was_captured_in_time_is_kept_however_late_it_comes() -> anyhow::Result<()> {
    let stack = Stack::start().await?;
    let client = stack.client();
    let patient = client.login(PATIENT.login, PATIENT.pin).await?;
    let nurse = client.login(NURSE.login, NURSE.pin).await?;
    let windows = [Window::minutes(-180, -120, -60), Window::minutes(-50, -40, 60)];
    let assignment_id = setup::schedule(&stack, PATIENT.assignment, &windows).await?;
    let mut late = report(assignment_id);
    late["captured_at"] = json!(text(windows[0].opens_at));
    late["answers"]["pain"] = json!(9);
    let held = client.submit(&patient, "late", &late).await?.expect_status(202)?;
    assert_eq!(held.text("disposition")?, "held");
    assert_eq!(held.json()["trace_id"].as_str(), held.trace_id().as_deref());
    assert!(held.header("location").is_some());
    // A retry gets the first answer again, and not the error for a used window.
    let again = client.submit(&patient, "late", &late).await?.expect_status(202)?;
    assert_eq!((again.text("report_id")?, again.text("disposition")?), (held.text("report_id")?, "held".to_owned()));

    // Arrives after the window has closed, but before its reports count as late.
    let in_time = capture(&client, &patient, assignment_id, &text(windows[1].opens_at)).await?.expect_status(201)?;
    let path = |answer: &Response| answer.header("location").unwrap_or_default().to_owned();
    let kept = seen(&client, &nurse, &path(&held)).await?;
    assert_eq!((&kept["disposition"], &kept["held_because"]), (&json!("held"), &json!(["late"])));
    assert_eq!(kept["alerts"], json!([{"rule": "severe-pain", "urgent": true}]), "a held report is looked at as well");
    let accepted = seen(&client, &nurse, &path(&in_time)).await?;
    assert_eq!((&accepted["disposition"], &accepted["held_because"]), (&json!("accepted"), &json!([])));
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn what_was_captured_before_its_questionnaire_retired_is_held() -> anyhow::Result<()> {
    let stack = Stack::start().await?;
    let client = stack.client();
    let token = client.login(PATIENT.login, PATIENT.pin).await?;
    let retired_at = setup::now() - TimeDelta::minutes(10);
    let window = Window::minutes(-180, -120, -60);
    let assignment_id = setup::schedule(&stack, PATIENT.gad7, &[window]).await?;
    setup::retire(&stack, "gad-7", retired_at).await?;
    let answers: Map<_, _> = (1..=7).map(|item| (format!("gad7-{item}"), json!(1))).collect();
    let before = retired_at - TimeDelta::milliseconds(1);
    for (assignment_id, captured_at, expected) in [
        (PATIENT.gad7, before, json!(["questionnaire-retired"])),
        (assignment_id, window.opens_at, json!(["late", "questionnaire-retired"])),
    ] {
        let mut body = report(assignment_id);
        body["captured_at"] = json!(text(captured_at));
        body["answers"] = answers.clone().into();
        let held = client.submit(&token, &Uuid::new_v4().to_string(), &body).await?.expect_status(202)?;
        let kept = seen(&client, &token, held.header("location").unwrap_or_default()).await?;
        let mut reasons: Vec<_> = kept["held_because"].as_array().cloned().unwrap_or_default();
        reasons.sort_by_key(Value::to_string);
        assert_eq!(json!(reasons), expected);
    }
    let shown = seen(&client, &token, "/v1/questionnaires/gad-7/versions/1.0").await?;
    let retired = shown["retired_at"].as_str().unwrap_or_default().parse::<chrono::DateTime<chrono::Utc>>()?;
    assert_eq!(retired, retired_at);
    let listed = seen(&client, &token, "/v1/me/assignments").await?["assignments"].clone();
    for questionnaire in listed.as_array().into_iter().flatten().map(|assignment| &assignment["questionnaire"]) {
        let expected = if questionnaire["id"] == "gad-7" { &shown["retired_at"] } else { &Value::Null };
        assert_eq!(&questionnaire["retired_at"], expected, "{questionnaire}");
    }
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn the_phones_clock_and_offset_are_taken_as_they_are() -> anyhow::Result<()> {
    let stack = Stack::start().await?;
    let client = stack.client();
    let token = client.login(PATIENT.login, PATIENT.pin).await?;
    let ahead = text(setup::now() + TimeDelta::minutes(4));
    for captured_at in [
        "2026-01-01T00:00:00Z",
        "2026-01-01T00:00:00.123456+00:00",
        "2026-01-01T14:00:00+14:00",
        "2026-02-28T08:00:00-11:00",
        "2026-02-28T08:00:00+05:45",
        ahead.as_str(),
    ] {
        let stored = capture(&client, &token, PATIENT.assignment, captured_at).await?.expect_status(201)?;
        let kept = seen(&client, &token, stored.header("location").unwrap_or_default()).await?;
        let parse = |text: &str| chrono::DateTime::parse_from_rfc3339(text);
        let (sent, kept) = (parse(captured_at)?, parse(kept["captured_at"].as_str().unwrap_or_default())?);
        assert_eq!((kept, kept.offset()), (sent, sent.offset()), "{captured_at}");
    }
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_patients_assignments_show_what_can_be_filled_in_now() -> anyhow::Result<()> {
    let stack = Stack::start().await?;
    let client = stack.client();
    let token = client.login(PATIENT.login, PATIENT.pin).await?;
    let (open, next, gone) = (
        setup::schedule(&stack, PATIENT.phq9, &[Window::minutes(-90, -60, 60), Window::open()]).await?,
        setup::schedule(&stack, PATIENT.phq9, &[Window::minutes(-90, -60, 60), Window::minutes(60, 90, 120)]).await?,
        setup::schedule(&stack, PATIENT.phq9, &[Window::minutes(-90, -60, 60)]).await?,
    );
    let assignments = seen(&client, &token, "/v1/me/assignments").await?["assignments"].clone();
    let assignments = assignments.as_array().cloned().unwrap_or_default();
    let find = |id: Uuid| {
        let found = assignments.iter().find(|assignment| assignment["assignment_id"] == json!(id)).cloned();
        found.unwrap_or_default()
    };
    let diary = json!({
        "assignment_id": PATIENT.assignment,
        "questionnaire": {"id": "daily-symptom-diary", "version": "1.0", "title": "Daily symptom diary"},
        "schedule": "event",
        "time_zone": "Europe/Berlin",
    });
    assert_eq!(find(PATIENT.assignment), diary);
    assert_eq!(find(PATIENT.scheduled)["schedule"], "scheduled");
    assert!(find(PATIENT.scheduled)["window"].is_object(), "a day's diary can be filled in now or later");
    assert_eq!(find(gone)["window"], Value::Null);
    let opens =
        |id| find(id)["window"]["opens_at"].as_str().unwrap_or_default().parse::<chrono::DateTime<chrono::Utc>>();
    assert!(opens(open)? < setup::now() && opens(next)? > setup::now());
    assert_eq!(find(open)["window"]["report_id"], Value::Null);
    let ids: BTreeSet<_> = assignments.iter().map(|assignment| assignment["assignment_id"].to_string()).collect();
    assert_eq!((ids.len(), assignments.len()), (7, 7));

    // A window with a report has the report's id.
    let diary = setup::schedule(&stack, PATIENT.assignment, &[Window::open()]).await?;
    let report_id = client.submit_new(&token, diary).await?.expect_status(201)?.text("report_id")?;
    let assignments = seen(&client, &token, "/v1/me/assignments").await?["assignments"].clone();
    let filled =
        assignments.as_array().into_iter().flatten().find(|assignment| assignment["assignment_id"] == json!(diary));
    assert_eq!(filled.map(|assignment| &assignment["window"]["report_id"]), Some(&json!(report_id)));
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_window_opens_and_closes_at_times_of_a_day() -> anyhow::Result<()> {
    let database = Cluster::from_env()?.create_database().await?;
    let mut superuser = database.connect().await?;
    for column in ["opens", "closes"] {
        let statement = format!("UPDATE clinical.assignment SET {column} = '24:00' WHERE schedule = 'scheduled'");
        let refused = sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut superuser).await.err();
        let code = refused.as_ref().and_then(sqlx::Error::as_database_error).and_then(sqlx::error::DatabaseError::code);
        assert_eq!(code.as_deref(), Some("23514"), "{column}");
    }
    database.drop().await?;
    Ok(())
}
