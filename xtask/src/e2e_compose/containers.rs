//! Checks of the containers from outside: exit codes, log lines, images.

use std::collections::BTreeSet;

use serde_json::Value;
use testkit::compose::{Compose, Container};

use super::SERVICES;
use super::verdict::Verdict;

/// The largest size of a service's image, in bytes.
const IMAGE_LIMIT: u64 = 45_000_000;

/// The messages of a service that belong to no request.
const LIFECYCLE: [&str; 2] = ["listening", "stopping"];

/// Checks that the services exited with 0, that nothing was restarted, and that the images are small.
pub(super) async fn judge_containers(stack: &Compose, verdict: &mut Verdict) -> anyhow::Result<()> {
    let containers = stack.containers().await?;
    let restarted: Vec<&Container> = containers.iter().filter(|container| container.restarts > 0).collect();
    verdict.check("no container was restarted", restarted.is_empty(), || format!("{restarted:#?}"));
    let services = containers.iter().filter(|container| SERVICES.contains(&container.service.as_str()));
    let exits: Vec<_> = services.clone().map(|it| (it.service.as_str(), it.status.as_str(), it.exit_code)).collect();
    let all_well = exits.len() == SERVICES.len() && exits.iter().all(|exit| (exit.1, exit.2) == ("exited", 0));
    verdict.check("the five services exited with 0", all_well, || format!("{exits:?}"));

    let mut sizes = Vec::new();
    for container in services {
        sizes.push((container.service.as_str(), stack.image_size(container).await?));
    }
    let largest = sizes.iter().map(|(_, bytes)| *bytes).max().unwrap_or(u64::MAX);
    let name = format!("the largest image has {} MB", largest / 1_000_000);
    verdict.check(&name, largest <= IMAGE_LIMIT, || format!("{sizes:?}"));
    Ok(())
}

/// Checks that each log line of the five services is a JSON object, and that every line of a request has its trace id.
pub(super) async fn judge_log_lines(stack: &Compose, verdict: &mut Verdict, traces: &[&str]) -> anyhow::Result<()> {
    let mut bad = Vec::new();
    let mut silent = Vec::new();
    for service in SERVICES {
        let text = stack.logs(&[service]).await?;
        let mut seen = BTreeSet::new();
        for text in text.lines() {
            let line: Value = serde_json::from_str(text).unwrap_or_default();
            if !is_complete(&line) {
                bad.push(format!("{service}: {text}"));
            }
            seen.extend(line["trace_id"].as_str().map(ToOwned::to_owned));
        }
        silent
            .extend(traces.iter().filter(|id| !seen.contains(**id)).map(|id| format!("{service}: nothing about {id}")));
    }
    verdict.all("every log line is JSON and names its trace", &bad);
    verdict.all("every service logged each submission", &silent);
    Ok(())
}

fn is_complete(line: &Value) -> bool {
    let has = |name: &str| line[name].is_string();
    let is_lifecycle = line["message"].as_str().is_some_and(|message| LIFECYCLE.contains(&message));
    let is_traced = has("trace_id") && has("span_id");
    ["timestamp", "level", "target", "message"].into_iter().all(has) && (is_traced || is_lifecycle)
}
