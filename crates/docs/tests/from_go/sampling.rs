use std::net::SocketAddr;

use axum::routing::get;
use axum::{Json, Router};
use serde_json::json;
use telemetry::{Config, Sampler, Telemetry, TraceContext, fail_current, step};
use testkit::otlp::Receiver;
use tokio::time::timeout;

use super::{DEADLINE, serve, settings};

/// By the flags, of which the last bit says so.
fn is_kept(place: &TraceContext) -> bool {
    place.to_string().ends_with(['1', '3'])
}

#[tokio::test]
async fn a_ratio_keeps_its_share_of_traces_and_says_for_how_many_each_stands() -> anyhow::Result<()> {
    let (telemetry, mut recorder) = Telemetry::recorded(&settings("sampler: 0.05")?.telemetry)?;
    let mut kept = 0;
    for _ in 0..2_000 {
        let place = telemetry.scope(step("order", async { TraceContext::current() })).await;
        if is_kept(&place) {
            kept += 1;
            // 1 - 0.05, in hexadecimal digits.
            assert_eq!(place.trace_state(), "ot=th:f3333");
        }
    }
    // 100, and six standard deviations.
    assert!((40..160).contains(&kept), "{kept}");
    assert_eq!(recorder.tree(kept).await?.lines().count(), kept);
    Ok(())
}

/// A Jaeger that would have all traces kept.
async fn jaeger() -> anyhow::Result<SocketAddr> {
    let strategy = json!({"strategyType": "PROBABILISTIC", "probabilisticSampling": {"samplingRate": 1.0}});
    let router = || Router::new().route("/sampling", get(async move || Json(strategy)));
    serve(&Telemetry::start(&Config::new("jaeger"), "")?, router).await
}

#[tokio::test]
async fn a_jaeger_server_says_what_is_kept() -> anyhow::Result<()> {
    let mut config = settings("jaeger_remote:")?.telemetry;
    let address = jaeger().await?;
    let Sampler::JaegerRemote(remote) = &mut config.sampler else { anyhow::bail!("another sampler") };
    assert_eq!((remote.endpoint.as_str(), remote.interval.as_secs()), ("http://jaeger:5778/sampling", 60));
    remote.endpoint = format!("http://{address}/sampling");
    let telemetry = Telemetry::start(&Config { batcher: telemetry::Batcher::None, ..config }, "")?;
    let all_are_kept = async {
        let mut in_a_row = 0;
        while in_a_row < 20 {
            let place = telemetry.scope(step("order", async { TraceContext::current() })).await;
            in_a_row = if is_kept(&place) { in_a_row + 1 } else { 0 };
            tokio::task::yield_now().await;
        }
    };
    timeout(DEADLINE, all_are_kept).await?;
    Ok(())
}

async fn order(fails: bool) -> String {
    step("check stock", async {}).await;
    step("charge card", async {
        if fails {
            fail_current("declined");
        }
    })
    .await;
    TraceContext::current().trace_id().to_string()
}

#[tokio::test]
async fn every_trace_that_fails_is_kept_whole_and_of_the_others_a_share() -> anyhow::Result<()> {
    let receiver = Receiver::start().await?;
    let config = Config { endpoint: Some(receiver.endpoint()), ..settings("sampler: errors\n")?.telemetry };
    let telemetry = Telemetry::start(&config, "1.0.0")?;
    let mut failed = Vec::new();
    for number in 0..400 {
        let fails = number % 20 == 0;
        let trace_id = telemetry.scope(step("order", order(fails))).await;
        failed.extend(fails.then_some(trace_id));
    }
    telemetry.shutdown(DEADLINE).await;
    for trace_id in &failed {
        receiver.wait_for(trace_id, DEADLINE, |trace| trace.spans.len() == 3).await?;
    }
    let others = receiver.traces().len() - failed.len();
    // 19 of 380, and six standard deviations; at least one, for none would be one in 300 million.
    assert!((1..45).contains(&others), "{others}");
    Ok(())
}

#[tokio::test]
async fn a_rule_of_a_route_goes_before_the_sampler() -> anyhow::Result<()> {
    let mut config = settings("rules:")?.telemetry;
    // What no rule speaks of is not kept, so that it is only the rules that keep.
    config.sampler = Sampler::Ratio(0.0);
    let (telemetry, mut recorder) = Telemetry::recorded(&config)?;
    for _ in 0..20 {
        telemetry.scope(step("POST /checkout", async {})).await;
        telemetry.scope(step("GET /stock/{sku}", async {})).await;
        telemetry.scope(step("GET /orders/{id}", async {})).await;
    }
    assert_eq!(recorder.tree(20).await?, "INTERNAL POST /checkout\n".repeat(20));
    Ok(())
}
