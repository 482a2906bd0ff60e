//! A report is stored once, notified once, and never lost.

mod idempotency;

use chrono::TimeDelta;
use e2e::setup::{self, Window};
use e2e::{DEADLINE, NURSES_PER_SITE, PATIENT, Rows, amendment, problem, rows, seen, with_long_timeouts};
use futures_util::future::try_join_all;
use migrations::demo::NURSES;
use serde_json::json;
use testkit::client::report;
use testkit::contract;
use testkit::stack::Stack;
use uuid::Uuid;

/// The rows of one delivered submission.
const ONE: Rows = Rows { reports: 1, keys: 1, audit_events: 1, notifications: 4, delivered: 4, attempts: 4 };

#[tokio::test]
async fn every_nurse_of_the_site_gets_one_sms_and_one_mail() -> anyhow::Result<()> {
    let stack = Stack::start().await?;
    let client = stack.client();
    let token = client.login(PATIENT.login, PATIENT.pin).await?;
    let submitted = client.submit_new(&token, PATIENT.assignment).await?.expect_status(201)?;
    let report_id = submitted.json()["report_id"].as_str().unwrap_or_default().to_owned();

    let expected = contract::submit_report(NURSES_PER_SITE);
    stack.otlp.wait_for_shape(&submitted.trace_id().unwrap_or_default(), DEADLINE, &expected).await?;
    let (messages, mails) = (stack.sms.accepted(), stack.smtp.accepted());
    let team = || NURSES.iter().filter(|nurse| nurse.site == PATIENT.site);
    for nurse in team() {
        assert_eq!(messages.iter().filter(|message| message.to == nurse.phone).count(), 1);
        assert_eq!(mails.iter().filter(|mail| mail.to == [nurse.email]).count(), 1);
    }
    assert_eq!((messages.len(), mails.len()), (team().count(), team().count()));
    for message in &messages {
        assert!(message.body.starts_with("ePRO: a new report at your site needs review. http"), "{}", message.body);
        assert!(message.body.ends_with(&report_id), "{}", message.body);
    }
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_whole_number_is_an_integer_and_null_is_no_answer() -> anyhow::Result<()> {
    let stack = Stack::start().await?;
    let client = stack.client();
    let token = client.login(PATIENT.login, PATIENT.pin).await?;
    let mut body = report(PATIENT.assignment);
    body["answers"] = json!({"pain": 4.0, "rescue": null, "temperature": 37.0, "note": null});
    let stored = client.submit(&token, "key", &body).await?.expect_status(201)?;
    let kept = seen(&client, &token, stored.header("location").unwrap_or_default()).await?;
    assert_eq!(kept["answers"], json!({"pain": 4, "temperature": 37.0}), "4 is no 4.0");
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn an_error_about_an_answer_names_it_and_one_about_a_member_lists_those_there_are() -> anyhow::Result<()> {
    let stack = Stack::start().await?;
    let client = stack.client();
    let token = client.login(PATIENT.login, PATIENT.pin).await?;
    let mut body = report(PATIENT.assignment);
    body["answers"]["pain"] = json!([4]);
    body["answers"]["temprature"] = json!(37.5);
    let refused = problem(&client.submit(&token, "key", &body).await?, 422, "report-invalid")?;
    let expected = json!([
        {"pointer": "/answers/temprature", "link_id": "temprature", "code": "unknown-item"},
        {"pointer": "/answers/pain", "link_id": "pain", "code": "type"},
    ]);
    assert_eq!(refused["errors"], expected);

    let mut body = report(PATIENT.assignment);
    body["capturedAt"] = body["captured_at"].clone();
    let refused = problem(&client.submit(&token, "key", &body).await?, 422, "invalid-body")?;
    let allowed = ["assignment_id", "captured_at", "attested", "answers"];
    let expected = json!([{"pointer": "/capturedAt", "code": "unknown-field", "allowed": allowed}]);
    assert_eq!(refused["errors"], expected);
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn submissions_under_many_keys_at_the_same_time_fill_a_window_once() -> anyhow::Result<()> {
    let stack = with_long_timeouts().start().await?;
    let client = stack.client();
    let token = client.login(PATIENT.login, PATIENT.pin).await?;
    let assignment_id = setup::schedule(&stack, PATIENT.assignment, &[Window::open()]).await?;
    let body = report(assignment_id);
    let keys: Vec<_> = (0..16).map(|number| format!("key-{number}")).collect();
    let answers = try_join_all(keys.iter().map(|key| client.submit(&token, key, &body))).await?;
    let (stored, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.status == 201);
    assert_eq!(stored.len(), 1);
    for answer in &refused {
        problem(answer, 409, "window-used")?;
    }
    let rows = rows(&stack).await?;
    assert_eq!((rows.reports, rows.keys, rows.audit_events, rows.notifications), (1, 1, 1, 4));
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_study_takes_reports_until_it_closes() -> anyhow::Result<()> {
    let stack = Stack::start().await?;
    let client = stack.client();
    let token = client.login(PATIENT.login, PATIENT.pin).await?;
    setup::close_study(&stack, setup::now() + TimeDelta::hours(1)).await?;
    let stored = client.submit_new(&token, PATIENT.assignment).await?.expect_status(201)?;
    client.amend(&token, &stored.text("report_id")?, "\"1\"", &amendment()).await?.expect_status(201)?;
    setup::close_study(&stack, setup::now()).await?;
    problem(&client.submit_new(&token, PATIENT.assignment).await?, 409, "study-closed")?;
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn what_was_captured_before_its_study_closed_is_held_until_its_sync_time_is_over() -> anyhow::Result<()> {
    let stack = Stack::start().await?;
    let client = stack.client();
    let token = client.login(PATIENT.login, PATIENT.pin).await?;
    let windows = [Window::minutes(-180, -120, 60), Window::minutes(-110, -90, -30)];
    let scheduled = setup::schedule(&stack, PATIENT.assignment, &windows).await?;
    let closed_at = setup::now() - TimeDelta::minutes(20);
    setup::close_study(&stack, closed_at).await?;
    let capture = async |assignment_id, captured_at| {
        let mut body = report(assignment_id);
        body["captured_at"] = json!(setup::text(captured_at));
        client.submit(&token, &Uuid::new_v4().to_string(), &body).await
    };
    let before = closed_at - TimeDelta::milliseconds(1);
    for (assignment_id, captured_at) in [(PATIENT.assignment, before), (scheduled, windows[0].opens_at)] {
        let held = capture(assignment_id, captured_at).await?.expect_status(202)?;
        let kept = seen(&client, &token, held.header("location").unwrap_or_default()).await?;
        assert_eq!((&kept["disposition"], &kept["held_because"]), (&json!("held"), &json!(["study-closed"])));
    }
    problem(&capture(PATIENT.assignment, closed_at).await?, 409, "study-closed")?;
    problem(&capture(scheduled, windows[1].opens_at).await?, 409, "study-closed")?;

    sqlx::query("UPDATE clinical.study SET sync_for = '10 minutes'")
        .execute(&mut stack.database.connect().await?)
        .await?;
    problem(&capture(PATIENT.assignment, before).await?, 409, "study-closed")?;
    assert_eq!(rows(&stack).await?.reports, 2);
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_note_may_have_500_characters_of_any_script() -> anyhow::Result<()> {
    let stack = Stack::start().await?;
    let client = stack.client();
    let token = client.login(PATIENT.login, PATIENT.pin).await?;
    for note in ["\u{1f62d}".repeat(500), "\u{e4}\u{202e}\u{301}\r\n\t".repeat(83), String::new()] {
        let mut body = report(PATIENT.assignment);
        body["answers"]["note"] = note.clone().into();
        let stored = client.submit(&token, &Uuid::new_v4().to_string(), &body).await?.expect_status(201)?;
        let kept = seen(&client, &token, stored.header("location").unwrap_or_default()).await?;
        assert_eq!(kept["answers"], body["answers"]);
    }
    stack.stop().await?;
    Ok(())
}
