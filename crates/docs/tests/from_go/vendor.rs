use telemetry::{Batcher, Config, Telemetry, TraceContext, step};
use testkit::otlp::Receiver;

use super::{DEADLINE, settings};

/// Sends one span as the configuration says, but to this address.
async fn arrives(receiver: &Receiver, config: Config, address: String) -> anyhow::Result<()> {
    let telemetry = Telemetry::start(&Config { endpoint: Some(address), ..config }, "1.0.0")?;
    let trace = telemetry.scope(step("order", async { TraceContext::current() })).await;
    telemetry.shutdown(DEADLINE).await;
    receiver.wait_for(&trace.trace_id().to_string(), DEADLINE, |trace| trace.spans.len() == 1).await?;
    Ok(())
}

#[tokio::test]
async fn the_same_code_speaks_to_whomever_the_block_names() -> anyhow::Result<()> {
    let receiver = Receiver::start().await?;
    let jaeger = settings("endpoint: http://jaeger:4317")?.telemetry;
    assert_eq!(jaeger.batcher, Batcher::OtlpGrpc);
    arrives(&receiver, jaeger, receiver.endpoint()).await?;
    let vendor = settings("endpoint: https://")?.telemetry;
    assert_eq!((vendor.batcher, vendor.headers.len()), (Batcher::OtlpHttp, 1));
    arrives(&receiver, vendor, receiver.http_endpoint()).await?;
    Ok(())
}
