//! Faults that a request asks for in its baggage happen only in services that allow them.

use e2e::{DEADLINE, NURSES_PER_SITE, PATIENT, problem};
use testkit::client::{Client, Response, Token, report};
use testkit::contract;
use testkit::stack::{Service, Stack};
use testkit::trace::{Kind, Span, Trace};

const AUTHENTICATE: &str = "epro.user.v1.UserService/Authenticate";
const SUBMIT: &str = "epro.report.v1.ReportService/SubmitReport";

async fn submit(client: &Client, token: &Token, baggage: &str) -> anyhow::Result<Response> {
    let key = uuid::Uuid::new_v4().to_string();
    let authorization = format!("Bearer {}", token.0);
    let headers = [
        ("authorization", &*authorization),
        ("content-type", "application/json"),
        ("idempotency-key", &key),
        ("baggage", baggage),
    ];
    client.raw("POST", "/v1/reports", &headers, report(PATIENT.assignment).to_string()).await
}

/// The span of the service that was called, once it has arrived.
async fn served(stack: &Stack, answer: &Response, service: &str, name: &str) -> anyhow::Result<Span> {
    let has_it = |trace: &Trace| trace.one(service, name, Kind::Server).is_ok();
    let trace = stack.otlp.wait_for(&answer.trace_id().unwrap_or_default(), DEADLINE, has_it).await?;
    Ok(trace.one(service, name, Kind::Server)?.clone())
}

#[tokio::test]
async fn a_service_fails_as_a_requests_baggage_asks_and_its_span_says_only_how() -> anyhow::Result<()> {
    let stack = Stack::builder().env_all("EPRO_FAULT_INJECTION", "true").start().await?;
    for service in Service::ALL {
        assert!(stack.logs(service).iter().any(|line| {
            line["level"] == "WARN" && line["message"].as_str().is_some_and(|text| text.starts_with("fault_injection"))
        }));
    }
    let client = stack.client();
    let token = client.login(PATIENT.login, PATIENT.pin).await?;

    let answer = submit(&client, &token, "demo.fault=epro-svc:panic").await?;
    problem(&answer, 500, "internal")?;
    let span = served(&stack, &answer, "epro-svc", SUBMIT).await?;
    assert!(span.status.is_error() && span.events.iter().any(|event| event.name == "exception"), "{span:?}");

    let answer = submit(&client, &token, "other=1,demo.fault=user-svc/Authenticate:error=unavailable").await?;
    problem(&answer, 503, "unavailable")?;
    assert!(served(&stack, &answer, "user-svc", AUTHENTICATE).await?.status.is_error());

    let answer = submit(&client, &token, "demo.fault=user-svc/Authenticate:delay=300ms").await?.expect_status(201)?;
    assert!(served(&stack, &answer, "user-svc", AUTHENTICATE).await?.duration().as_millis() >= 300);

    let answer = submit(&client, &token, "demo.fault=zebra").await?.expect_status(201)?;
    let expected = contract::submit_report(NURSES_PER_SITE);
    stack.otlp.wait_for_shape(&answer.trace_id().unwrap_or_default(), DEADLINE, &expected).await?;
    for trace in stack.otlp.traces() {
        for span in &trace.spans {
            let text = span.everything();
            assert!(!text.contains("demo.fault") && !text.contains("panic=") && !text.contains("zebra"), "{text}");
        }
    }
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn services_that_were_not_told_to_take_no_fault_from_a_stranger() -> anyhow::Result<()> {
    let stack = Stack::builder().env(Service::EproSvc, "EPRO_FAULT_INJECTION", "true").start().await?;
    let client = stack.client();
    let token = client.login(PATIENT.login, PATIENT.pin).await?;
    for fault in ["gateway:panic", "user-svc:panic", "epro-svc:panic", "data-svc:panic"] {
        let answer = submit(&client, &token, &format!("demo.fault={fault}")).await?;
        answer.expect_status(201).map_err(|error| error.context(fault))?;
    }
    stack.stop().await?;
    Ok(())
}
