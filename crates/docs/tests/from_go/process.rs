//! What only a whole process shows: this test starts itself again as a shop.

use std::env;
use std::error::Error;
use std::process::Output;
use std::time::Duration;

use axum::Router;
use serde_json::Value;
use telemetry::{Task, step};
use testkit::otlp::Receiver;
use tokio::net::TcpListener;
use tokio::process::Command;

use super::configuration::Settings;
use super::{DEADLINE, settings};

const ROLE: &str = "DOCS_TEST_ROLE";

async fn pack(order: u64) {
    // ANCHOR: log
    telemetry::info!(order, "packed");
    // ANCHOR_END: log
}

// ANCHOR: main
async fn run(
    settings: &Settings,
    shop: Router,
    stopped: impl Future<Output = ()> + Send + 'static,
) -> Result<(), Box<dyn Error>> {
    let telemetry = telemetry::init(&settings.telemetry, env!("CARGO_PKG_VERSION"))?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    axum::serve(listener, shop).with_graceful_shutdown(stopped).await?;
    telemetry.shutdown(Duration::from_secs(5)).await;
    Ok(())
}
// ANCHOR_END: main

/// Not a test of its own: what runs in the process that the test starts. Its work begins when the server is told to stop.
#[tokio::test]
async fn the_shop() -> Result<(), Box<dyn Error>> {
    if env::var_os(ROLE).is_none() {
        return Ok(());
    }
    let work = async {
        step("order", async {
            pack(7).await;
            // A delivery that takes its time.
            Task::internal("tell the warehouse").spawn(tokio::time::sleep(Duration::from_millis(300)));
        })
        .await;
    };
    run(&settings("sampler: 1.0")?, Router::new(), work).await
}

async fn shop(endpoint: &str) -> anyhow::Result<Output> {
    let mut command = Command::new(env::current_exe()?);
    command.args(["--exact", "from_go::process::the_shop", "--nocapture"]).env_remove("RUST_LOG");
    command.env(ROLE, "shop").env("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint);
    Ok(command.kill_on_drop(true).output().await?)
}

#[tokio::test]
async fn a_line_has_the_ids_of_its_trace_and_shutdown_waits_for_what_was_spawned() -> anyhow::Result<()> {
    let receiver = Receiver::start().await?;
    let output = shop(&receiver.endpoint()).await?;
    assert!(output.status.success(), "{output:?}");
    let lines = String::from_utf8(output.stdout)?;
    let mut lines = lines.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let line = lines.find(|line| line["message"] == "packed").unwrap_or_default();
    assert_eq!(line["order"], 7, "{line}");
    let trace_id = line["trace_id"].as_str().unwrap_or_default();
    let trace = receiver.wait_for(trace_id, DEADLINE, |trace| trace.spans.len() == 2).await?;
    let order = trace.named("order");
    assert_eq!(line["span_id"], *order[0].span_id);
    assert_eq!(trace.children(&order[0].span_id)[0].name, "tell the warehouse");
    Ok(())
}
