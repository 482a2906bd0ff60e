//! When a report may be captured, and when it may arrive.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use e2e::setup::{self, Window, text};
use e2e::{DEADLINE, NURSE, PATIENT, seen};
use futures_util::future::try_join_all;
use serde_json::{Map, Value, json};
use sqlx::AssertSqlSafe;
use testkit::client::{Client, Response, Token, report};
use testkit::poll;
use testkit::postgres::Cluster;
use testkit::stack::{Service, Stack};
use uuid::Uuid;

mod moves;

/// Submits a report of the diary as captured at a time.
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
    // Two that touch: the end of the one is the beginning of the other.
    let windows = [Window::minutes(-60, -30, 60), Window::minutes(-30, 30, 60)];
    let assignment_id = setup::schedule(&stack, PATIENT.assignment, &windows).await?;
    let at_opening = capture(&client, &token, assignment_id, &text(windows[1].opens_at)).await?.expect_status(201)?;
    assert_eq!(at_opening.text("disposition")?, "accepted");
    let last = windows[0].closes_at - TimeDelta::milliseconds(1);
    capture(&client, &token, assignment_id, &text(last)).await?.expect_status(201)?;

    // Each has its report now.
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
    // The retry gets the same answer, not that of a used window.
    let again = client.submit(&patient, "late", &late).await?.expect_status(202)?;
    assert_eq!((again.text("report_id")?, again.text("disposition")?), (held.text("report_id")?, "held".to_owned()));

    // After the window, before its reports are late.
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

    // A window with a report says which.
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
async fn windows_are_made_once_in_the_patients_time_zone() -> anyhow::Result<()> {
    let stack = Stack::start().await?;
    let client = stack.client();
    let token = client.login(PATIENT.login, PATIENT.pin).await?;
    try_join_all((0..8).map(|_| seen(&client, &token, "/v1/me/assignments"))).await?;
    setup::windows_made(&stack).await?;
    let (windows, at_six, at_half_past_two, at_three, days): (i64, i64, i64, i64, i64) = sqlx::query_as(
        "SELECT count(*), count(*) FILTER (WHERE opens = '06:00'), count(*) FILTER (WHERE closes = '02:30'),
                count(*) FILTER (WHERE closes = '03:00'), count(DISTINCT day)
         FROM (SELECT (opens_at AT TIME ZONE 'Europe/Berlin')::time AS opens,
                      (closes_at AT TIME ZONE 'Europe/Berlin')::time AS closes,
                      (opens_at AT TIME ZONE 'Europe/Berlin')::date AS day
               FROM clinical.fill_window
               WHERE assignment_id = $1 AND sync_until = closes_at + interval '72 hours') AS local",
    )
    .bind(PATIENT.scheduled)
    .fetch_one(&mut stack.database.connect().await?)
    .await?;
    assert_eq!((windows, at_six, days), (365, 365, 365));
    // In the night of the spring there is no half past two.
    assert!(at_three <= 1 && at_half_past_two + at_three == 365, "{at_half_past_two} and {at_three}");
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn an_assignment_whose_windows_are_refused_holds_up_no_other() -> anyhow::Result<()> {
    let builder = Stack::builder().env(Service::DataSvc, "EPRO_SCHEDULE__MATERIALISE_EVERY", "100ms");
    let stack = builder.start().await?;
    let mut database = stack.database.connect().await?;
    // The first one in order of ids is the one that fails.
    let (refused, other) = (Uuid::from_u128(1), Uuid::max());
    sqlx::raw_sql(
        "ALTER TABLE clinical.fill_window ADD CHECK (assignment_id <> '00000000-0000-0000-0000-000000000001')",
    )
    .execute(&mut database)
    .await?;
    sqlx::query(
        "INSERT INTO clinical.assignment (assignment_id, enrolment_id, questionnaire_version_id, schedule,
                                          first_day, every_days, windows, opens, closes, sync_for)
         SELECT made, enrolment_id, questionnaire_version_id, schedule,
                first_day, every_days, windows, opens, closes, sync_for
         FROM clinical.assignment, unnest($2::uuid[]) AS made WHERE assignment_id = $1",
    )
    .bind(PATIENT.scheduled)
    .bind([refused, other])
    .execute(&mut database)
    .await?;
    let made = async || {
        let made: Vec<Uuid> =
            sqlx::query_scalar("SELECT DISTINCT assignment_id FROM clinical.fill_window WHERE assignment_id = ANY($1)")
                .bind([refused, other])
                .fetch_all(&mut database)
                .await?;
        Ok(made)
    };
    assert_eq!(poll::until(DEADLINE, made, |made| !made.is_empty()).await?, [other]);
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn who_submits_before_the_windows_are_made_is_asked_to_come_again() -> anyhow::Result<()> {
    let builder = Stack::builder().env(Service::DataSvc, "EPRO_SCHEDULE__MATERIALISE_EVERY", "1h");
    let stack = builder.start().await?;
    setup::windows_made(&stack).await?;
    let client = stack.client();
    let token = client.login(PATIENT.login, PATIENT.pin).await?;
    // The next look for assignments without windows is an hour away.
    let assignment_id = setup::schedule(&stack, PATIENT.assignment, &[]).await?;
    let body = report(assignment_id);
    let refused = client.submit(&token, "key", &body).await?;
    e2e::problem(&refused, 503, "windows-pending")?;
    assert!(refused.header("retry-after").is_some_and(|seconds| seconds.parse::<u32>().is_ok()));

    setup::add_windows(&stack, assignment_id, &[Window::open()]).await?;
    client.submit(&token, "key", &body).await?.expect_status(201)?;
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_zone_that_the_services_do_not_know_is_refused() -> anyhow::Result<()> {
    let database = Cluster::from_env()?.create_database().await?;
    let mut superuser = database.connect().await?;
    for table in ["site", "enrolment"] {
        for (zone, expected) in [
            ("Mars/Olympus_Mons", Some("23503")),
            ("europe/berlin", Some("23503")),
            ("Etc/Unknown", Some("23503")),
            ("CET-1CEST", Some("23503")),
            ("", Some("23503")),
            ("Pacific/Kiritimati", None),
            ("Asia/Calcutta", None),
            ("Etc/UTC", None),
        ] {
            let statement = format!("UPDATE clinical.{table} SET time_zone = '{zone}'");
            let refused = sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut superuser).await.err();
            let code =
                refused.as_ref().and_then(sqlx::Error::as_database_error).and_then(sqlx::error::DatabaseError::code);
            assert_eq!(code.as_deref(), expected, "{table} {zone:?}");
        }
    }
    database.drop().await?;
    Ok(())
}

#[tokio::test]
async fn every_plan_that_is_let_in_has_its_windows_in_the_calendar() -> anyhow::Result<()> {
    let builder = Stack::builder().env(Service::DataSvc, "EPRO_SCHEDULE__MATERIALISE_EVERY", "100ms");
    let stack = builder.start().await?;
    let mut database = stack.database.connect().await?;
    let set = |changes: &str| format!("UPDATE clinical.assignment SET {changes} WHERE schedule = 'scheduled'");
    // Without the triggers, which refuse any change of an assignment in use.
    sqlx::raw_sql("SET session_replication_role = replica").execute(&mut database).await?;
    for changes in [
        "first_day = 36601, windows = 1",
        "every_days = 2147483647, windows = 3660",
        "first_day = 2147483647, every_days = 2147483647, windows = 3660",
        "sync_for = '11 years'",
        "sync_for = '-1 year 360 days'",
    ] {
        let refused = sqlx::raw_sql(AssertSqlSafe(set(changes))).execute(&mut database).await.err();
        let code = refused.as_ref().and_then(sqlx::Error::as_database_error).and_then(sqlx::error::DatabaseError::code);
        assert_eq!(code.as_deref(), Some("23514"), "{changes}");
    }
    sqlx::raw_sql("SET session_replication_role = origin").execute(&mut database).await?;
    sqlx::raw_sql(
        "UPDATE clinical.enrolment SET baseline_date = '2199-12-31', enrolled_at = '9998-12-31T23:59:59Z';
         INSERT INTO clinical.assignment (assignment_id, enrolment_id, questionnaire_version_id, schedule,
                                          first_day, every_days, windows, opens, closes, sync_for)
         SELECT 'ffffffff-ffff-ffff-ffff-ffffffffffff', enrolment_id, questionnaire_version_id, schedule,
                36600, 2147483647, 1, opens, closes, '3650 days'
         FROM clinical.assignment WHERE schedule = 'scheduled' LIMIT 1",
    )
    .execute(&mut database)
    .await?;
    let made = async || {
        let count: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM clinical.fill_window WHERE assignment_id = 'ffffffff-ffff-ffff-ffff-ffffffffffff'",
        )
        .fetch_one(&mut database)
        .await?;
        Ok(count)
    };
    assert_eq!(poll::until(DEADLINE, made, |count| *count > 0).await?, 1);
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
