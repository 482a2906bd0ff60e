//! One submission is one complete trace.

use std::collections::BTreeSet;

use e2e::{DEADLINE, NURSE, NURSES_PER_SITE, PATIENT, with_long_timeouts};
use futures_util::future::try_join_all;
use migrations::demo::{PATIENTS, STUDY};
use testkit::contract;
use testkit::stack::{Service, Stack};
use testkit::trace::{Kind, Trace, span};

#[tokio::test]
async fn one_submission_is_one_whole_trace() -> anyhow::Result<()> {
    const JAEGER: &str = "http://127.0.0.1:16686/trace/";
    let stack = Stack::builder().env(Service::Gateway, "EPRO_TRACE_URL", JAEGER).start().await?;
    let client = stack.client();
    let token = client.login(PATIENT.login, PATIENT.pin).await?;
    let submitted = client.submit_new(&token, PATIENT.assignment).await?.expect_status(201)?;
    let trace_id = submitted.trace_id().unwrap_or_default();
    assert_eq!(submitted.json()["trace_id"], trace_id.as_str(), "body and header name the same trace");
    assert_eq!(submitted.json()["trace_url"], format!("{JAEGER}{trace_id}"));
    let refused = client.get("/v1/reports/42", None).await?.expect_status(401)?;
    assert_eq!(refused.json()["trace_url"], format!("{JAEGER}{}", refused.trace_id().unwrap_or_default()));

    let trace = stack.otlp.wait_for_shape(&trace_id, DEADLINE, &contract::submit_report(NURSES_PER_SITE)).await?;
    assert_eq!(contract::check_submission(&trace, NURSES_PER_SITE), Vec::<String>::new());
    let deliver = trace.one("notify-svc", "deliver notification", Kind::Consumer)?;
    assert_eq!(deliver.int("epro.delivery.attempt"), Some(1));
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_submission_takes_so_many_calls_statements_and_commits_and_no_more() -> anyhow::Result<()> {
    let stack = with_long_timeouts().start().await?;
    let client = stack.client();
    let token = client.login(PATIENT.login, PATIENT.pin).await?;
    let trace_id = client.submit_new(&token, PATIENT.assignment).await?.expect_status(201)?.trace_id();
    let expected = contract::submit_report(NURSES_PER_SITE);
    let trace = stack.otlp.wait_for_shape(&trace_id.unwrap_or_default(), DEADLINE, &expected).await?;
    let is_call = |name: &str| name.starts_with("epro.");
    let calls = trace.spans.iter().filter(|span| span.kind == Kind::Client && is_call(&span.name)).count();
    let statements = trace.spans.iter().filter(|span| span.text("db.system.name").is_some()).count();
    let messages = 2 * NURSES_PER_SITE;
    assert_eq!((calls, statements), (7 + messages, 10 + messages), "each message is recorded by itself");
    assert_eq!(trace.named("COMMIT").len(), 1, "the other statements are transactions by themselves");
    assert_eq!(trace.spans.len(), 58);
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn two_hundred_concurrent_submissions_are_two_hundred_whole_traces() -> anyhow::Result<()> {
    const SUBMISSIONS: usize = 200;
    let stack = with_long_timeouts().start().await?;
    let client = stack.client();
    let tokens = try_join_all(PATIENTS.iter().map(|patient| client.login(patient.login, patient.pin))).await?;
    let submitted = try_join_all((0..SUBMISSIONS).map(|number| {
        let (patient, token) = (&PATIENTS[number % PATIENTS.len()], &tokens[number % PATIENTS.len()]);
        client.submit_new(token, patient.assignment)
    }))
    .await?;
    let mut ids = BTreeSet::new();
    for answer in submitted {
        ids.insert(answer.expect_status(201)?.trace_id().unwrap_or_default());
    }
    assert_eq!(ids.len(), SUBMISSIONS);

    let expected = contract::submit_report(NURSES_PER_SITE);
    for id in &ids {
        let trace = stack.otlp.wait_for_shape(id, DEADLINE, &expected).await?;
        // The tree is exact, so it contains no span of another trace. With 200 such trees no span is missing anywhere.
        assert_eq!(contract::check_submission(&trace, NURSES_PER_SITE), Vec::<String>::new());
    }
    let orphans: usize = stack.otlp.traces().iter().map(|trace| trace.orphans().len()).sum();
    assert_eq!(orphans, 0);
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn spans_travel_over_otlp_http_as_well() -> anyhow::Result<()> {
    let receiver = testkit::otlp::Receiver::start().await?;
    let endpoint = receiver.http_endpoint();
    let stack = Stack::builder()
        .receiver(receiver)
        .env_all("EPRO_TELEMETRY__BATCHER", "otlphttp")
        .env_all("EPRO_TELEMETRY__ENDPOINT", endpoint)
        .start()
        .await?;
    let client = stack.client();
    let token = client.login(PATIENT.login, PATIENT.pin).await?;
    let trace_id = client.submit_new(&token, PATIENT.assignment).await?.expect_status(201)?.trace_id();
    let expected = contract::submit_report(NURSES_PER_SITE);
    stack.otlp.wait_for_shape(&trace_id.unwrap_or_default(), DEADLINE, &expected).await?;
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_callers_trace_is_continued_linked_to_or_ignored_as_the_table_says() -> anyhow::Result<()> {
    const CALLER: &str = "0af7651916cd43dd8448eb211c80319c";
    let traceparent = format!("00-{CALLER}-b7ad6b7169203331-01");
    for (policy, is_continued, links) in [("continue", true, 0), ("link", false, 1), ("ignore", false, 0)] {
        let stack =
            Stack::builder().env(Service::Gateway, "EPRO_TELEMETRY__TRUST__INGRESS__TRACE", policy).start().await?;
        let answer = stack.client().raw("GET", "/v1/reports/x", &[("traceparent", &traceparent)], "").await?;
        let trace_id = answer.trace_id().unwrap_or_default();
        assert_eq!(trace_id == CALLER, is_continued, "{policy}");
        let trace = stack.otlp.wait_for(&trace_id, DEADLINE, |trace| !trace.is_empty()).await?;
        let server = trace.one("gateway", "GET /v1/reports/{id}", Kind::Server)?;
        assert_eq!(server.parent_span_id.as_deref() == Some("b7ad6b7169203331"), is_continued, "{policy}");
        assert_eq!(server.links.len(), links, "{policy}");
        stack.stop().await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_services_last_spans_are_sent_before_it_ends() -> anyhow::Result<()> {
    // The export timer is an hour away, so only the flush at shutdown can export spans.
    let mut stack = Stack::builder().env_all("OTEL_BSP_SCHEDULE_DELAY", "3600000").start().await?;
    let client = stack.client();
    let token = client.login(PATIENT.login, PATIENT.pin).await?;
    let trace_id = client.submit_new(&token, PATIENT.assignment).await?.expect_status(201)?.trace_id();
    for service in Service::ALL.into_iter().rev() {
        assert!(stack.terminate(service).await?.success(), "{service}");
    }
    let trace = stack.otlp.trace(&trace_id.unwrap_or_default());
    assert_eq!(contract::check_submission(&trace, NURSES_PER_SITE), Vec::<String>::new());
    Ok(())
}

#[tokio::test]
async fn health_checks_make_no_spans_and_every_answer_names_its_trace() -> anyhow::Result<()> {
    let mut stack = Stack::start().await?;
    let client = stack.client();
    client.get("/livez", None).await?.expect_status(204)?;
    client.get("/readyz", None).await?.expect_status(200)?;
    let refused = client.post("/livez", &serde_json::json!({})).await?.expect_status(405)?;
    assert_eq!(refused.json()["trace_id"].as_str(), refused.trace_id().as_deref());
    let missing = client.get("/nowhere?name=Ada", None).await?.expect_status(404)?;
    let trace_id = missing.trace_id().unwrap_or_default();
    let trace = stack.otlp.wait_for(&trace_id, DEADLINE, |trace| !trace.is_empty()).await?;
    trace.assert_shape(&span("gateway", "GET", Kind::Server))?;
    // Only after all services have ended can nothing more arrive.
    for service in Service::ALL.into_iter().rev() {
        stack.terminate(service).await?;
    }
    let traces = stack.otlp.traces();
    let names: BTreeSet<_> = traces.iter().flat_map(Trace::roots).map(|root| root.name.as_str()).collect();
    assert_eq!(names, BTreeSet::from(["GET", "POST /livez"]));
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn each_count_of_a_study_is_a_span_of_its_own() -> anyhow::Result<()> {
    let stack = Stack::start().await?;
    let client = stack.client();
    let token = client.login(NURSE.login, NURSE.pin).await?;
    let answer = client.get(&format!("/v1/studies/{STUDY}"), Some(&token)).await?.expect_status(200)?;
    let trace_id = answer.trace_id().unwrap_or_default();
    let call = |client, server, method, within: Vec<_>| {
        span(client, method, Kind::Client).child(span(server, method, Kind::Server).children(within))
    };
    let statements = [
        "SELECT clinical.study SELECT clinical.site",
        "SELECT clinical.site",
        "SELECT clinical.enrolment",
        "SELECT clinical.report clinical.enrolment clinical.report clinical.review",
        "SELECT clinical.fill_window clinical.assignment clinical.enrolment clinical.report",
    ];
    let queries = statements.into_iter().flat_map(|statement| {
        let acquire = span("data-svc", "acquire connection", Kind::Internal);
        [acquire, span("data-svc", statement, Kind::Client)]
    });
    let expected = span("gateway", "GET /v1/studies/{id}", Kind::Server).child(contract::authenticate()).child(call(
        "gateway",
        "data-svc",
        "epro.data.v1.DataService/GetStudy",
        queries.collect(),
    ));
    stack.otlp.wait_for_shape(&trace_id, DEADLINE, &expected).await?;
    stack.stop().await?;
    Ok(())
}
