//! An idempotency key identifies one submission.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use e2e::setup::Window;
use e2e::{DEADLINE, NEIGHBOUR, NURSES_PER_SITE, PATIENT, amendment, problem, rows, setup, with_long_timeouts};
use futures_util::future::try_join_all;
use sqlx::Connection;
use testkit::client::{Token, report};
use testkit::poll;
use testkit::stack::{Service, Stack};
use testkit::trace::Kind;

use super::ONE;

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
async fn sixty_four_submissions_under_one_key_at_the_same_time_store_one_report() -> anyhow::Result<()> {
    let stack = with_long_timeouts().start().await?;
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
    // Simulates a concurrent request that has inserted the key and not committed yet.
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
