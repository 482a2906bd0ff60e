//! The load of a demonstration: the same binary, which only uses the API.

use std::time::Duration;

use anyhow::ensure;
use e2e::{DEADLINE, rows};
use migrations::demo::PATIENTS;
use serde_json::Value;
use testkit::poll;
use testkit::stack::{Service, Sidecar, Stack};
use testkit::trace::{Kind, Trace};

const SUBMIT: &str = "POST /v1/reports";

/// Starts the load, many times faster than in a demonstration.
fn load(stack: &Stack) -> anyhow::Result<Sidecar> {
    stack.start_sidecar("load", &[("LOAD_GATEWAY", stack.url(Service::Gateway)), ("LOAD_PACE", "20ms".to_owned())])
}

/// Its log lines about requests with this status.
fn answered(load: &Sidecar, request: &str, status: u16) -> Vec<Value> {
    load.logs().into_iter().filter(|line| line["request"] == request && line["status"] == status).collect()
}

/// Waits until `count` lines are good.
async fn wait_for(load: &Sidecar, count: usize, good: impl Fn(&Value) -> bool) -> anyhow::Result<()> {
    let found = async || Ok(load.logs().iter().filter(|line| good(line)).count());
    let found = poll::until(DEADLINE, found, |found| *found >= count).await?;
    ensure!(found >= count, "{found} lines instead of {count}: {:#?}", load.logs());
    Ok(())
}

async fn wait_for_answers(load: &Sidecar, count: usize, request: &str, status: u16) -> anyhow::Result<()> {
    wait_for(load, count, |line| line["request"] == request && line["status"] == status).await
}

#[tokio::test]
async fn some_reports_are_stored_and_some_people_refused_and_each_line_names_its_trace() -> anyhow::Result<()> {
    let stack = Stack::start().await?;
    let load = load(&stack)?;
    let wanted = [(SUBMIT, 201), (SUBMIT, 422), ("POST /v1/sessions", 401)];
    for (request, status) in wanted {
        wait_for_answers(&load, 1, request, status).await?;
        let line = answered(&load, request, status).remove(0);
        let trace_id = line["trace_id"].as_str().unwrap_or_default();
        let arrived = |trace: &Trace| !trace.named(request).is_empty();
        let trace = stack.otlp.wait_for(trace_id, DEADLINE, arrived).await?;
        let root = trace.one("gateway", request, Kind::Server)?;
        assert_eq!(root.int("http.response.status_code"), Some(status.into()), "{trace}");
    }
    wait_for(&load, 1, |line| line["message"] == "review a report" && line["status"] == 201).await?;
    assert!(rows(&stack).await?.reports > 0);

    // Only a client that disconnects before the answer makes an error trace.
    let abandoned = |trace: &Trace| trace.named(SUBMIT).iter().any(|root| root.text("error.type") == Some("cancelled"));
    let found = poll::until(DEADLINE, async || Ok(stack.otlp.traces().iter().any(abandoned)), |found| *found).await?;
    ensure!(found, "nobody has left: {:#?}", load.logs());

    for line in load.logs() {
        let text = line.to_string();
        assert!(!PATIENTS.iter().any(|patient| text.contains(patient.login)), "{text}");
    }
    let failed = load.logs().into_iter().filter(|line| line["status"].as_u64().is_some_and(|status| status >= 500));
    assert_eq!(failed.collect::<Vec<_>>(), Vec::<Value>::new());
    assert_eq!(load.terminate().await?.code(), Some(0));
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_gateway_that_is_away_is_waited_for_and_one_line_says_so() -> anyhow::Result<()> {
    let mut stack = Stack::start().await?;
    let load = load(&stack)?;
    wait_for_answers(&load, 1, SUBMIT, 201).await?;
    let waits = |line: &Value| line["message"] == "wait for the gateway" && line["level"] == "WARN";
    let count = || load.logs().iter().filter(|line| waits(line)).count();
    let (stored, before) = (answered(&load, SUBMIT, 201).len(), count());
    stack.kill(Service::Gateway).await?;
    wait_for(&load, before + 1, waits).await?;
    stack.restart(Service::Gateway).await?;
    wait_for_answers(&load, stored + 10, SUBMIT, 201).await?;
    assert_eq!(count(), before + 1, "{:#?}", load.logs());

    // It also stops at once while it waits for the gateway.
    stack.kill(Service::Gateway).await?;
    wait_for(&load, before + 2, waits).await?;
    let ended = tokio::time::timeout(Duration::from_secs(5), load.terminate()).await??;
    assert_eq!(ended.code(), Some(0));
    Ok(())
}

#[tokio::test]
async fn who_has_submitted_too_much_rests_while_the_others_go_on() -> anyhow::Result<()> {
    let stack = Stack::start().await?;
    let limit = sqlx::query("UPDATE clinical.study SET reports_per_hour = 2");
    limit.execute(&mut stack.database.connect().await?).await?;
    let load = load(&stack)?;
    wait_for_answers(&load, PATIENTS.len(), SUBMIT, 429).await?;

    let reads = |line: &Value| line["message"] == "read the work list" && line["status"] == 200;
    let before = load.logs().len();
    wait_for(&load, load.logs().iter().filter(|line| reads(line)).count() + 5, reads).await?;
    assert!(load.logs()[before..].iter().all(|line| line["request"] != SUBMIT), "{:#?}", load.logs());
    assert_eq!(answered(&load, SUBMIT, 429).len(), PATIENTS.len());
    assert_eq!(load.terminate().await?.code(), Some(0));
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn tokens_are_refreshed_before_they_are_over() -> anyhow::Result<()> {
    let stack = Stack::builder().env(Service::UserSvc, "EPRO_SESSIONS__ACCESS_TOKEN_LIFETIME", "5s").start().await?;
    let load = load(&stack)?;
    wait_for_answers(&load, 1, "POST /v1/sessions/refresh", 200).await?;
    assert_eq!(load.terminate().await?.code(), Some(0));
    stack.stop().await?;
    Ok(())
}
