//! Services recover after an outage, and nothing is lost.

use std::time::Instant;

use e2e::{DEADLINE, NURSES_PER_SITE, PATIENT, is_whole, rows};
use testkit::client::{Client, Response, Token, report};
use testkit::contract;
use testkit::postgres::Postgres;
use testkit::sms::Behaviour;
use testkit::stack::{Service, Stack};
use testkit::trace::{Kind, Trace};

const AUTHENTICATE: &str = "epro.user.v1.UserService/Authenticate";
const NOTIFY: &str = "epro.notify.v1.NotifyService/Notify";
const GET_ASSIGNMENT: &str = "epro.data.v1.DataService/GetAssignment";

/// Sends the same report with the same idempotency key, as a phone would, until it is accepted.
async fn submit_until_taken(
    client: &Client,
    token: &Token,
    key: &str,
    body: &serde_json::Value,
) -> anyhow::Result<Response> {
    let start = Instant::now();
    loop {
        let answer = client.submit(token, key, body).await?;
        if answer.status == 201 {
            return Ok(answer);
        }
        assert_eq!(answer.status, 503, "{}", String::from_utf8_lossy(&answer.body));
        assert!(start.elapsed() < DEADLINE, "it never recovers");
    }
}

fn refused_for_now(answer: &Response) {
    assert_eq!(answer.status, 503, "{}", String::from_utf8_lossy(&answer.body));
    assert!(answer.header("retry-after").is_some());
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    assert_eq!(answer.json()["trace_id"].as_str(), answer.trace_id().as_deref());
}

/// The number of attempts that were recorded so far.
fn recorded(trace: &Trace) -> usize {
    let recorded = trace.named("epro.data.v1.DataService/RecordDelivery");
    recorded.iter().filter(|span| span.kind == Kind::Server).count()
}

fn all_recorded(trace: &Trace) -> bool {
    recorded(trace) >= 2 * NURSES_PER_SITE && trace.orphans().is_empty()
}

#[tokio::test]
async fn without_notify_svc_reports_are_taken_and_told_later_in_the_same_trace() -> anyhow::Result<()> {
    let mut stack = Stack::builder().env(Service::NotifySvc, "EPRO_SWEEP__OVERDUE", "0s").start().await?;
    let client = stack.client();
    let token = client.login(PATIENT.login, PATIENT.pin).await?;
    stack.kill(Service::NotifySvc).await?;
    let submitted = client.submit_new(&token, PATIENT.assignment).await?.expect_status(201)?;
    assert_eq!(stack.sms.accepted().len(), 0);

    stack.restart(Service::NotifySvc).await?;
    let trace_id = submitted.trace_id().unwrap_or_default();
    let trace =
        stack.otlp.wait_for(&trace_id, DEADLINE, |trace| all_recorded(trace) && is_whole(trace, NOTIFY)).await?;
    assert_eq!(trace.roots().len(), 1, "{trace}");
    assert_eq!(stack.sms.accepted().len(), NURSES_PER_SITE);
    assert_eq!(stack.smtp.accepted().len(), NURSES_PER_SITE);
    let deliver = trace.one("notify-svc", "deliver notification", Kind::Consumer)?;
    let created = trace.one("data-svc", "create notification", Kind::Producer)?;
    assert_eq!(deliver.parent_span_id.as_deref(), Some(created.span_id.as_str()), "it hangs where it was created");
    let lost_hint = trace.one("epro-svc", NOTIFY, Kind::Client)?;
    assert_eq!(lost_hint.text("error.type"), Some("UNAVAILABLE"));
    assert_eq!(rows(&stack).await?.delivered, 4);
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_provider_that_fails_for_now_is_tried_again_in_the_same_trace() -> anyhow::Result<()> {
    let stack = Stack::builder()
        .env(Service::NotifySvc, "EPRO_SWEEP__OVERDUE", "0s")
        .env(Service::NotifySvc, "EPRO_SWEEP__INTERVAL", "100ms")
        .env(Service::NotifySvc, "EPRO_DELIVERY__BACKOFF__CAP", "100ms")
        .start()
        .await?;
    stack.sms.respond_next([Behaviour::Refuse(500)]);
    let client = stack.client();
    let token = client.login(PATIENT.login, PATIENT.pin).await?;
    let submitted = client.submit_new(&token, PATIENT.assignment).await?.expect_status(201)?;
    stack.sms.journal().wait_until(DEADLINE, |messages| messages.len() == NURSES_PER_SITE + 1).await?;
    let second_attempt = |trace: &Trace| {
        trace.named("send sms").iter().any(|span| span.int("epro.delivery.attempt") == Some(2))
            && recorded(trace) == 2 * NURSES_PER_SITE + 1
            && trace.orphans().is_empty()
    };
    let trace = stack.otlp.wait_for(&submitted.trace_id().unwrap_or_default(), DEADLINE, second_attempt).await?;
    assert_eq!(trace.named("send sms").len(), NURSES_PER_SITE + 1);
    assert_eq!(stack.smtp.accepted().len(), NURSES_PER_SITE, "the other channel is not repeated");
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn without_data_svc_nothing_is_half_stored_and_the_retry_succeeds() -> anyhow::Result<()> {
    let mut stack = Stack::start().await?;
    let client = stack.client();
    let token = client.login(PATIENT.login, PATIENT.pin).await?;
    let body = report(PATIENT.assignment);
    let nothing = rows(&stack).await?;
    stack.kill(Service::DataSvc).await?;
    let answer = client.submit(&token, "key", &body).await?;
    refused_for_now(&answer);
    assert_eq!(rows(&stack).await?, nothing);

    stack.restart(Service::DataSvc).await?;
    submit_until_taken(&client, &token, "key", &body).await?;
    assert_eq!(rows(&stack).await?.reports, 1);

    // The trace of the failure names the service that did not answer.
    let trace_id = answer.trace_id().unwrap_or_default();
    let trace = stack.otlp.wait_for(&trace_id, DEADLINE, |trace| is_whole(trace, GET_ASSIGNMENT)).await?;
    let failed = trace.one("epro-svc", GET_ASSIGNMENT, Kind::Client)?;
    assert_eq!(failed.text("error.type"), Some("UNAVAILABLE"));
    assert!(trace.roots()[0].status.is_error());
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn without_postgres_the_answer_is_503_until_it_is_back() -> anyhow::Result<()> {
    let mut postgres = Postgres::builder().fsync(false).start().await?;
    postgres.cluster().create_template().await?;
    let stack = Stack::builder().cluster(postgres.cluster()).start().await?;
    let client = stack.client();
    let token = client.login(PATIENT.login, PATIENT.pin).await?;
    let body = report(PATIENT.assignment);
    postgres.crash().await?;
    refused_for_now(&client.submit(&token, "key", &body).await?);
    refused_for_now(&client.get("/v1/reports/5d3a1c6e-0f0a-4c55-9d0e-7a1b2c3d4e00", Some(&token)).await?);

    postgres.start_again().await?;
    let submitted = submit_until_taken(&client, &token, "key", &body).await?;
    assert_eq!(rows(&stack).await?.reports, 1);
    let trace_id = submitted.trace_id().unwrap_or_default();
    stack.otlp.wait_for_shape(&trace_id, DEADLINE, &contract::submit_report(NURSES_PER_SITE)).await?;
    stack.stop().await?;
    postgres.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_login_check_that_hangs_ends_in_a_503_that_names_it() -> anyhow::Result<()> {
    let stack = Stack::builder().env(Service::Gateway, "EPRO_USER_SVC__TIMEOUT", "2s").start().await?;
    let client = stack.client();
    let token = client.login(PATIENT.login, PATIENT.pin).await?;
    let mut stack = stack;
    stack.pause(Service::UserSvc)?;
    let answer = client.submit_new(&token, PATIENT.assignment).await?;
    refused_for_now(&answer);
    assert_eq!(answer.json()["type"], "/problems/timeout");
    let trace_id = answer.trace_id().unwrap_or_default();
    let trace = stack.otlp.wait_for(&trace_id, DEADLINE, |trace| is_whole(trace, AUTHENTICATE)).await?;
    let failed = trace.one("gateway", AUTHENTICATE, Kind::Client)?;
    assert_eq!(failed.text("error.type"), Some("DEADLINE_EXCEEDED"));
    stack.resume(Service::UserSvc)?;
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_dead_collector_costs_no_request() -> anyhow::Result<()> {
    let mut stack = Stack::start().await?;
    stack.otlp.stop().await;
    let client = stack.client();
    let token = client.login(PATIENT.login, PATIENT.pin).await?;
    for _ in 0..20 {
        client.submit_new(&token, PATIENT.assignment).await?.expect_status(201)?;
    }
    stack.sms.journal().wait_until(DEADLINE, |messages| messages.len() == 20 * NURSES_PER_SITE).await?;
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn readiness_names_the_service_that_is_down() -> anyhow::Result<()> {
    let mut stack = Stack::start().await?;
    stack.kill(Service::UserSvc).await?;
    let answer = stack.client().get("/readyz", None).await?.expect_status(503)?;
    assert_eq!(answer.header("retry-after"), Some("2"));
    assert_eq!(answer.json(), serde_json::json!({"user-svc": false, "epro-svc": true, "data-svc": true}));
    stack.restart(Service::UserSvc).await?;
    stack.wait_until_ready().await?;
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_locked_table_gives_503_and_the_trace_names_the_statement() -> anyhow::Result<()> {
    let stack = Stack::builder().env(Service::DataSvc, "EPRO_DATABASE__STATEMENT_TIMEOUT", "1s").start().await?;
    let client = stack.client();
    let token = client.login(PATIENT.login, PATIENT.pin).await?;
    let body = report(PATIENT.assignment);
    let mut locker = stack.database.connect().await?;
    // The table can still be read, but not written.
    sqlx::raw_sql("BEGIN; LOCK TABLE clinical.report IN EXCLUSIVE MODE").execute(&mut locker).await?;
    let answer = client.submit(&token, "key", &body).await?;
    refused_for_now(&answer);
    sqlx::raw_sql("ROLLBACK").execute(&mut locker).await?;
    submit_until_taken(&client, &token, "key", &body).await?;
    assert_eq!(rows(&stack).await?.reports, 1);

    let trace_id = answer.trace_id().unwrap_or_default();
    let trace = stack.otlp.wait_for(&trace_id, DEADLINE, |trace| is_whole(trace, "INSERT clinical.report")).await?;
    let insert = trace.one("data-svc", "INSERT clinical.report", Kind::Client)?;
    assert_eq!(insert.text("db.response.status_code"), Some("57014"));
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_provider_that_asks_for_an_endless_wait_is_asked_again_within_the_hour() -> anyhow::Result<()> {
    let stack = Stack::start().await?;
    stack.sms.respond_with(Behaviour::TooManyRequests { retry_after: u64::MAX });
    let client = stack.client();
    let token = client.login(PATIENT.login, PATIENT.pin).await?;
    let submitted = client.submit_new(&token, PATIENT.assignment).await?.expect_status(201)?;
    stack.otlp.wait_for(&submitted.trace_id().unwrap_or_default(), DEADLINE, all_recorded).await?;
    let waits: Vec<bool> = sqlx::query_scalar(
        "SELECT due_at BETWEEN now() + interval '59 min' AND now() + interval '61 min'
         FROM clinical.notification WHERE state = 'pending'",
    )
    .fetch_all(&mut stack.database.connect().await?)
    .await?;
    assert_eq!(waits, vec![true; NURSES_PER_SITE]);
    stack.stop().await?;
    Ok(())
}
