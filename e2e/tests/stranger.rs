//! Headers from outside can affect a trace only as the table of trust allows.

use std::collections::BTreeSet;
use std::time::{SystemTime, UNIX_EPOCH};

use e2e::{DEADLINE, NURSES_PER_SITE, PATIENT};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::json;
use testkit::client::{Client, Response, Token, report};
use testkit::contract;
use testkit::stack::{Service, Stack};
use testkit::trace::{Span, Trace};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const SPAN: &str = "b7ad6b7169203331";

/// A word in every header, to search for.
const MARK: &str = "zebra";

/// Headers of every format: well-formed, malformed, duplicated and much too long.
fn corpus() -> Vec<Vec<(&'static str, String)>> {
    let parent = |flags: &str| ("traceparent", format!("00-{TRACE}-{SPAN}-{flags}"));
    let state = || ("tracestate", format!("{MARK}=1"));
    vec![
        vec![parent("01"), state()],
        vec![parent("00"), state()],
        vec![parent("ff"), state()],
        vec![parent("01"), parent("00"), state()],
        vec![parent("01-and-more"), state()],
        vec![parent("1"), state()],
        vec![("traceparent", "00-1-2-01".to_owned()), state()],
        vec![("traceparent", format!("ff-{TRACE}-{SPAN}-01")), state()],
        vec![("traceparent", format!("00-{}-{SPAN}-01", "0".repeat(32))), state()],
        vec![("traceparent", format!("00-{}-{SPAN}-01", TRACE.to_uppercase())), state()],
        vec![("traceparent", MARK.repeat(1_000)), ("tracestate", MARK.repeat(1_000))],
        vec![("traceparent", "\u{1f9a0}".to_owned()), ("tracestate", "\u{202e}=\t,,=,".to_owned())],
        vec![parent("01"), ("tracestate", (0..400).map(|n| format!("{MARK}{n}=1")).collect::<Vec<_>>().join(","))],
        vec![parent("01"), ("tracestate", format!("{MARK}={}", "x".repeat(4_000)))],
        vec![("baggage", format!("{MARK}={MARK};p={MARK},a=%00%ff,=,b"))],
        vec![("baggage", (0..200).map(|n| format!("{MARK}{n}=1")).collect::<Vec<_>>().join(","))],
        vec![("b3", "0".to_owned()), ("b3", format!("{TRACE}-{SPAN}-d-{MARK}"))],
        vec![("x-b3-traceid", TRACE.to_owned()), ("x-b3-spanid", SPAN.to_owned()), ("x-b3-sampled", "0".to_owned())],
        vec![("uber-trace-id", format!("{TRACE}:{SPAN}:0:0")), ("uberctx-zebra", MARK.to_owned())],
        vec![("x-cloud-trace-context", format!("{TRACE}/1;o=0")), ("x-amzn-trace-id", format!("Root={MARK}"))],
        vec![
            ("traceresponse", MARK.to_owned()),
            ("server-timing", MARK.to_owned()),
            ("grpc-trace-bin", MARK.to_owned()),
        ],
        vec![("trace-keep", MARK.to_owned()), ("grpc-timeout", "1n".to_owned())],
        vec![("trace-keep", MARK.repeat(1_000))],
    ]
}

async fn submit(client: &Client, token: &Token, headers: &[(&str, String)]) -> anyhow::Result<Response> {
    let own = [
        ("authorization", format!("Bearer {}", token.0)),
        ("content-type", "application/json".to_owned()),
        ("idempotency-key", uuid::Uuid::new_v4().to_string()),
    ];
    let all: Vec<_> = own.iter().chain(headers).map(|(name, value)| (*name, value.as_str())).collect();
    client.raw("POST", "/v1/reports", &all, report(PATIENT.assignment).to_string()).await
}

#[tokio::test]
async fn no_header_of_a_stranger_fails_hides_or_names_a_submission_and_none_goes_further() -> anyhow::Result<()> {
    let stack = Stack::start().await?;
    let client = stack.client();
    let token = client.login(PATIENT.login, PATIENT.pin).await?;
    for headers in corpus() {
        let submitted = submit(&client, &token, &headers).await?.expect_status(201)?;
        let trace_id = submitted.trace_id().unwrap_or_default();
        assert_ne!(trace_id, TRACE, "{headers:?}");
        let expected = contract::submit_report(NURSES_PER_SITE);
        let trace = stack.otlp.wait_for_shape(&trace_id, DEADLINE, &expected).await?;
        let broken = contract::check_submission(&trace, NURSES_PER_SITE);
        assert_eq!(broken, Vec::<String>::new(), "{headers:?}");
    }
    let spans: Vec<_> = stack.otlp.traces().iter().flat_map(|trace| &trace.spans).map(Span::everything).collect();
    let lines: Vec<_> =
        Service::ALL.into_iter().flat_map(|service| stack.logs(service)).map(|l| l.to_string()).collect();
    assert!(spans.len() > corpus().len() && lines.len() > corpus().len());
    for text in spans.iter().chain(&lines) {
        assert!(!text.contains(MARK), "{text}");
    }
    for message in stack.sms.accepted() {
        for name in ["traceparent", "tracestate", "baggage", "b3", "x-b3-traceid", "uber-trace-id"] {
            assert!(!message.headers.contains_key(name), "the provider is told {name}");
        }
        assert!(!format!("{:?}", message.headers).contains(MARK));
    }
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_tracestate_that_may_come_in_is_kept_in_the_outbox_and_goes_wherever_it_may() -> anyhow::Result<()> {
    let stack = Stack::builder()
        .env(Service::Gateway, "EPRO_TELEMETRY__TRUST__INGRESS__TRACE", "continue")
        .env(Service::Gateway, "EPRO_TELEMETRY__TRUST__INGRESS__STATE", "true")
        .env(Service::NotifySvc, "EPRO_TELEMETRY__TRUST__EGRESS__TRACE", "true")
        .env(Service::NotifySvc, "EPRO_TELEMETRY__TRUST__EGRESS__STATE", "true")
        .start()
        .await?;
    let client = stack.client();
    let token = client.login(PATIENT.login, PATIENT.pin).await?;
    let headers = [("traceparent", format!("00-{TRACE}-{SPAN}-01")), ("tracestate", format!("{MARK}=1"))];
    submit(&client, &token, &headers).await?.expect_status(201)?;
    let all_is_told =
        |trace: &Trace| trace.named("send email").len() + trace.named("send sms").len() == 2 * NURSES_PER_SITE;
    let trace = stack.otlp.wait_for(TRACE, DEADLINE, all_is_told).await?;
    let services: BTreeSet<_> = trace.spans.iter().map(|span| span.service.as_str()).collect();
    assert_eq!(services.len(), Service::ALL.len(), "{trace}");
    for span in &trace.spans {
        assert_eq!(span.trace_state, format!("{MARK}=1"), "{trace}");
    }
    let messages = stack.sms.accepted();
    assert!(!messages.is_empty());
    for message in messages {
        assert_eq!(message.headers["tracestate"], format!("{MARK}=1"));
    }
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_support_persons_signed_header_keeps_a_trace_that_the_sampler_would_not() -> anyhow::Result<()> {
    const SECRET: &str = "a secret of thirty-two bytes, or more";
    let stack = Stack::builder()
        .env(Service::Gateway, "EPRO_TELEMETRY__SAMPLER", "0")
        .env(Service::Gateway, "EPRO_TELEMETRY__KEEP__SECRET", SECRET)
        .env(Service::Gateway, "EPRO_TELEMETRY__KEEP__PER_MINUTE", "1")
        .start()
        .await?;
    let client = stack.client();
    let token = client.login(PATIENT.login, PATIENT.pin).await?;
    let signed = |secret: &str| -> anyhow::Result<_> {
        let expires = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs() + 60;
        let key = EncodingKey::from_secret(secret.as_bytes());
        let token = jsonwebtoken::encode(&Header::new(Algorithm::HS256), &json!({ "exp": expires }), &key)?;
        Ok([("trace-keep", token)])
    };
    let forged = submit(&client, &token, &signed("another secret of thirty-two bytes")?).await?.expect_status(201)?;
    let kept = submit(&client, &token, &signed(SECRET)?).await?.expect_status(201)?;
    let too_many = submit(&client, &token, &signed(SECRET)?).await?.expect_status(201)?;
    let trace_id = kept.trace_id().unwrap_or_default();
    let expected = contract::submit_report(NURSES_PER_SITE);
    let trace = stack.otlp.wait_for_shape(&trace_id, DEADLINE, &expected).await?;
    assert_eq!(contract::check_submission(&trace, NURSES_PER_SITE), Vec::<String>::new());
    // The lowest bit of the flags means sampled, the next one that the trace id is random.
    for (answer, flags) in [(forged, "-02"), (kept, "-03"), (too_many, "-02")] {
        assert!(answer.header("traceresponse").is_some_and(|header| header.ends_with(flags)), "{flags}");
    }
    stack.stop().await?;
    Ok(())
}
