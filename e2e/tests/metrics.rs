//! The metrics of the services.

use std::collections::BTreeSet;

use e2e::{DEADLINE, NURSES_PER_SITE, PATIENT};
use testkit::stack::Stack;
use testkit::{contract, poll};

/// The metrics of one submission and its delivery.
const EXPECTED: [&str; 17] = [
    "db.client.connection.count",
    "db.client.connection.max",
    "db.client.connection.pending_requests",
    "db.client.connection.wait_time",
    "db.client.operation.duration",
    "epro.delivery.attempts",
    "epro.outbox.age",
    "epro.outbox.depth",
    "http.server.request.duration",
    "otel.sdk.exporter.span.exported",
    "otel.sdk.exporter.span.inflight",
    "otel.sdk.processor.log.processed",
    "otel.sdk.processor.span.processed",
    "otel.sdk.processor.span.queue.capacity",
    "otel.sdk.processor.span.queue.size",
    "rpc.client.call.duration",
    "rpc.server.call.duration",
];

/// The allowed attribute keys: no personal data, and no keys with many values.
const KEYS: [&str; 18] = [
    "db.client.connection.pool.name",
    "db.client.connection.state",
    "db.namespace",
    "db.query.summary",
    "db.system.name",
    "epro.delivery.channel",
    "epro.delivery.outcome",
    "error.type",
    "http.request.method",
    "http.response.status_code",
    "http.route",
    "otel.component.type",
    "rpc.method",
    "rpc.status_code",
    "rpc.system.name",
    "server.address",
    "server.port",
    "url.scheme",
];

#[tokio::test]
async fn a_submission_is_measured_at_every_step_without_a_person_in_any_label() -> anyhow::Result<()> {
    let stack = Stack::builder()
        .env_all("EPRO_TELEMETRY__METRICS", "otlp")
        .env_all("OTEL_METRIC_EXPORT_INTERVAL", "200")
        .start()
        .await?;
    let client = stack.client();
    let token = client.login(PATIENT.login, PATIENT.pin).await?;
    let trace_id = client.submit_new(&token, PATIENT.assignment).await?.expect_status(201)?.trace_id();
    let expected = contract::submit_report(NURSES_PER_SITE);
    stack.otlp.wait_for_shape(&trace_id.unwrap_or_default(), DEADLINE, &expected).await?;

    let missing = async || {
        let received = stack.otlp.metrics();
        Ok(EXPECTED.into_iter().filter(|name| !received.contains_key(*name)).collect::<Vec<_>>())
    };
    assert_eq!(poll::until(DEADLINE, missing, Vec::is_empty).await?, Vec::<&str>::new());
    let delivered = [("epro.delivery.outcome", "delivered")];
    let count = async || Ok(stack.otlp.sum("epro.delivery.attempts", &delivered));
    let attempts = i64::try_from(2 * NURSES_PER_SITE)?;
    assert_eq!(poll::until(DEADLINE, count, |count| *count >= attempts).await?, attempts);
    let keys: BTreeSet<String> = stack.otlp.metrics().into_values().flatten().collect();
    let others: Vec<_> = keys.iter().filter(|key| !KEYS.contains(&key.as_str())).collect();
    assert_eq!(others, Vec::<&String>::new());
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn nothing_is_measured_unless_it_is_asked_for() -> anyhow::Result<()> {
    let stack = Stack::builder().env_all("OTEL_METRIC_EXPORT_INTERVAL", "100").start().await?;
    let client = stack.client();
    client.login(PATIENT.login, PATIENT.pin).await?;
    let receiver = stack.otlp.metrics();
    assert!(receiver.is_empty(), "{receiver:?}");
    stack.stop().await?;
    Ok(())
}
