//! A report is stored once, told once, and never lost.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use e2e::setup::{self, Window};
use e2e::{DEADLINE, NEIGHBOUR, NURSES_PER_SITE, PATIENT, Rows, amendment, problem, rows, seen, unhurried};
use futures_util::future::try_join_all;
use migrations::demo::NURSES;
use serde_json::json;
use sqlx::Connection;
use testkit::client::{Token, report};
use testkit::contract;
use testkit::poll;
use testkit::stack::{Service, Stack};
use testkit::trace::Kind;
use uuid::Uuid;

/// What one delivered submission leaves behind.
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
async fn an_exact_retry_gets_the_first_answer_and_stores_nothing() -> anyhow::Result<()> {
    let stack = Stack::start().await?;
    let client = stack.client();
    let token = client.login(PATIENT.login, PATIENT.pin).await?;
    let body = report(PATIENT.assignment);
    let first = client.submit(&token, "key", &body).await?.expect_status(201)?;
    let trace_id = first.trace_id().unwrap_or_default();
    let delivered = |trace: &testkit::trace::Trace| {
        let recorded = trace.named("epro.data.v1.DataService/RecordDelivery");
        recorded.iter().filter(|span| span.kind == Kind::Server).count() == 2 * NURSES_PER_SITE
    };
    stack.otlp.wait_for(&trace_id, DEADLINE, delivered).await?;
    assert_eq!(rows(&stack).await?, ONE);

    let again = client.submit(&token, "key", &body).await?.expect_status(201)?;
    assert_eq!(again.json()["report_id"], first.json()["report_id"]);
    assert_ne!(again.json()["trace_id"], first.json()["trace_id"], "a retry is a request of its own");
    assert_eq!(rows(&stack).await?, ONE);
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn the_same_report_in_other_bytes_is_a_retry() -> anyhow::Result<()> {
    let stack = Stack::start().await?;
    let client = stack.client();
    let token = client.login(PATIENT.login, PATIENT.pin).await?;
    let id = PATIENT.assignment;
    let bodies = [
        format!(
            r#"{{"assignment_id":"{id}","captured_at":"2026-02-28T08:00:00Z","answers":{{"pain":4,"note":"é"}},"attested":true}}"#
        ),
        format!(
            "{{ \"attested\": true,\n  \"answers\": {{ \"note\": \"\\u00e9\", \"pain\": 4.0 }},\n  \
             \"captured_at\": \"2026-02-28T08:00:00Z\", \"assignment_id\": \"{id}\" }}\n"
        ),
    ];
    let authorization = format!("Bearer {}", token.0);
    let headers =
        [("authorization", authorization.as_str()), ("idempotency-key", "key"), ("content-type", "application/json")];
    let mut stored = Vec::new();
    for body in &bodies {
        let answer = client.raw("POST", "/v1/reports", &headers, body.clone()).await?.expect_status(201)?;
        stored.push(answer.text("report_id")?);
    }
    assert_eq!(stored[0], stored[1]);
    let kept: Vec<u8> = sqlx::query_scalar("SELECT raw_body FROM clinical.report WHERE raw_sha256 = sha256(raw_body)")
        .fetch_one(&mut stack.database.connect().await?)
        .await?;
    assert_eq!(kept, bodies[0].as_bytes(), "the bytes as they came first");
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_key_of_before_there_was_a_canonical_form_still_gets_its_answer() -> anyhow::Result<()> {
    let stack = Stack::start().await?;
    let client = stack.client();
    let token = client.login(PATIENT.login, PATIENT.pin).await?;
    let body = report(PATIENT.assignment);
    let first = client.submit(&token, "key", &body).await?.expect_status(201)?.text("report_id")?;
    sqlx::query("UPDATE clinical.idempotency SET fingerprint = raw_sha256 FROM clinical.report")
        .execute(&mut stack.database.connect().await?)
        .await?;
    let again = client.submit(&token, "key", &body).await?.expect_status(201)?;
    assert_eq!(again.text("report_id")?, first);
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
async fn sixty_four_submissions_under_one_key_at_the_same_time_store_one_report() -> anyhow::Result<()> {
    let stack = unhurried().start().await?;
    let clients: Vec<_> = (0..64).map(|_| stack.client()).collect();
    let token = clients[0].login(PATIENT.login, PATIENT.pin).await?;
    let scheduled = setup::schedule(&stack, PATIENT.assignment, &[Window::open()]).await?;
    for (key, assignment_id, reports) in [("any", PATIENT.assignment, 1), ("window", scheduled, 2)] {
        let body = report(assignment_id);
        let answers = try_join_all(clients.iter().map(|client| client.submit(&token, key, &body))).await?;
        let mut ids = BTreeSet::new();
        for answer in answers {
            match answer.status {
                409 => drop(problem(&answer, 409, "idempotency-key-in-progress")?),
                _ => drop(ids.insert(answer.expect_status(201)?.text("report_id")?)),
            }
        }
        ids.insert(clients[0].submit(&token, key, &body).await?.expect_status(201)?.text("report_id")?);
        assert_eq!(ids.len(), 1);
        let rows = rows(&stack).await?;
        let written = (rows.reports, rows.keys, rows.audit_events, rows.notifications);
        assert_eq!(written, (reports, reports, reports, 4 * reports));
    }
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_key_that_is_still_in_use_is_refused_for_now() -> anyhow::Result<()> {
    let stack = Stack::builder().env(Service::DataSvc, "EPRO_DATABASE__STATEMENT_TIMEOUT", "500ms").start().await?;
    let client = stack.client();
    let token = client.login(PATIENT.login, PATIENT.pin).await?;
    // Another request with the key that has got as far as to take it.
    let mut database = stack.database.connect().await?;
    let mut other = database.begin().await?;
    sqlx::query(
        "INSERT INTO clinical.idempotency (enrolment_id, key, fingerprint, report_id)
         SELECT enrolment_id, 'key', sha256(''), gen_random_uuid() FROM clinical.enrolment WHERE person_id = $1",
    )
    .bind(PATIENT.id)
    .execute(&mut *other)
    .await?;
    let body = report(PATIENT.assignment);
    problem(&client.submit(&token, "key", &body).await?, 409, "idempotency-key-in-progress")?;
    client.submit(&token, "another-key", &body).await?.expect_status(201)?;
    other.rollback().await?;
    client.submit(&token, "key", &body).await?.expect_status(201)?;
    assert_eq!(rows(&stack).await?.reports, 2);
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn submissions_under_many_keys_at_the_same_time_fill_a_window_once() -> anyhow::Result<()> {
    let stack = unhurried().start().await?;
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
async fn a_retry_gets_the_first_answer_whatever_has_happened_since() -> anyhow::Result<()> {
    let stack = Stack::start().await?;
    let client = stack.client();
    let token = client.login(PATIENT.login, PATIENT.pin).await?;
    let body = report(PATIENT.assignment);
    let first = client.submit(&token, "key", &body).await?.expect_status(201)?;
    let report_id = first.text("report_id")?;
    client.amend(&token, &report_id, "\"1\"", &amendment()).await?.expect_status(201)?;
    setup::retire(&stack, "daily-symptom-diary", setup::now() - TimeDelta::days(1)).await?;
    setup::close_study(&stack, setup::now()).await?;
    let again = client.submit(&token, "key", &body).await?.expect_status(201)?;
    for member in ["report_id", "disposition"] {
        assert_eq!(again.text(member)?, first.text(member)?);
    }
    assert_eq!(again.header("location"), first.header("location"));
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
async fn keys_past_their_time_are_deleted_and_counted() -> anyhow::Result<()> {
    let stack = Stack::builder()
        .env(Service::DataSvc, "EPRO_IDEMPOTENCY__KEEP_FOR", "1h")
        .env(Service::DataSvc, "EPRO_IDEMPOTENCY__DELETE_EVERY", "100ms")
        .env_all("EPRO_TELEMETRY__METRICS", "otlp")
        .env_all("OTEL_METRIC_EXPORT_INTERVAL", "200")
        .start()
        .await?;
    let client = stack.client();
    let token = client.login(PATIENT.login, PATIENT.pin).await?;
    let scheduled = setup::schedule(&stack, PATIENT.assignment, &[Window::open()]).await?;
    for (key, assignment_id) in [("young", PATIENT.assignment), ("old", PATIENT.assignment), ("window", scheduled)] {
        client.submit(&token, key, &report(assignment_id)).await?.expect_status(201)?;
    }
    let mut database = stack.database.connect().await?;
    sqlx::query("UPDATE clinical.idempotency SET created_at = now() - interval '61 minutes' WHERE key <> 'young'")
        .execute(&mut database)
        .await?;
    let keys = async || {
        let keys: Vec<String> =
            sqlx::query_scalar("SELECT key FROM clinical.idempotency ORDER BY key").fetch_all(&mut database).await?;
        Ok(keys)
    };
    let left = poll::until(DEADLINE, keys, |keys| keys.len() < 3).await?;
    assert_eq!(left, ["window", "young"], "a window that takes reports keeps its key");
    let deleted = async || Ok(stack.otlp.sum("epro.idempotency.deleted", &[]));
    assert_eq!(poll::until(DEADLINE, deleted, |deleted| *deleted > 0).await?, 1);
    assert_eq!(rows(&stack).await?.reports, 3);
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_refused_submission_does_not_use_up_its_key() -> anyhow::Result<()> {
    let stack = Stack::start().await?;
    let client = stack.client();
    let token = client.login(PATIENT.login, PATIENT.pin).await?;
    let mut body = report(PATIENT.assignment);
    body["answers"]["pain"] = 11.into();
    problem(&client.submit(&token, "key", &body).await?, 422, "report-invalid")?;
    problem(&client.submit(&Token("none".to_owned()), "key", &body).await?, 401, "invalid-token")?;
    body["answers"]["pain"] = 10.into();
    client.submit(&token, "key", &body).await?.expect_status(201)?;
    assert_eq!(rows(&stack).await?.reports, 1);
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

#[tokio::test]
async fn a_key_belongs_to_one_body_and_one_patient() -> anyhow::Result<()> {
    let stack = Stack::start().await?;
    let client = stack.client();
    let token = client.login(PATIENT.login, PATIENT.pin).await?;
    client.submit(&token, "key", &report(PATIENT.assignment)).await?.expect_status(201)?;
    let mut other = report(PATIENT.assignment);
    other["answers"]["pain"] = 1.into();
    problem(&client.submit(&token, "key", &other).await?, 422, "idempotency-key-reused")?;

    let token = client.login(NEIGHBOUR.login, NEIGHBOUR.pin).await?;
    client.submit(&token, "key", &report(NEIGHBOUR.assignment)).await?.expect_status(201)?;
    assert_eq!(rows(&stack).await?.reports, 2);
    stack.stop().await?;
    Ok(())
}
