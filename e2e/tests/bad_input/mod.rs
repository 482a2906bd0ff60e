//! Bad input gets a clear answer that repeats nothing of it, and nothing is stored.
//!
//! Tested elsewhere: floods, slow bodies and malformed HTTP in `http_surface`; guessed PINs and the time of a refusal
//! in `sessions`; concurrent requests in `submissions`, `amendments` and `reviews`.

mod bodies;
mod case;
mod conflicts;
mod people;
mod rules;
mod surface;

use e2e::{DEADLINE, NURSE, PATIENT, clinical_rows, is_whole, rows, submitted, with_long_timeouts};
use serde_json::json;
use testkit::client::report;
use testkit::stack::{Service, Stack};

use case::Case;

/// A stack without background work, so that only requests can add rows.
async fn still() -> anyhow::Result<Stack> {
    let mut stack = with_long_timeouts().start().await?;
    stack.kill(Service::NotifySvc).await?;
    Ok(stack)
}

/// Sends every request and checks that it is refused as expected and adds no rows.
async fn refuse(stack: &Stack, cases: Vec<Case>) -> anyhow::Result<()> {
    let client = stack.client();
    let before = clinical_rows(stack).await?;
    let mut wrong = Vec::new();
    for case in cases {
        if let Err(error) = case.check(&client).await {
            wrong.push(format!("{}: {error:#}", case.name));
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert_eq!(clinical_rows(stack).await?, before);
    Ok(())
}

#[tokio::test]
async fn what_cannot_be_read_is_refused_and_stores_nothing() -> anyhow::Result<()> {
    let stack = still().await?;
    let client = stack.client();
    let patient = client.login(PATIENT.login, PATIENT.pin).await?;
    let nurse = client.login(NURSE.login, NURSE.pin).await?;
    let report_id = submitted(&client, &patient, PATIENT).await?;
    refuse(&stack, bodies::unreadable(&patient)).await?;
    refuse(&stack, bodies::on_every_route(&patient, &nurse, &report_id)).await?;
    refuse(&stack, bodies::keys_and_tags(&patient, &nurse, &report_id)).await?;
    refuse(&stack, bodies::ids_and_pages(&patient, &nurse)).await?;
    refuse(&stack, surface::paths_and_methods(&patient, &report_id)).await?;
    refuse(&stack, surface::media_and_sizes(&patient)).await?;
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn what_breaks_a_rule_is_refused_and_stores_nothing() -> anyhow::Result<()> {
    let stack = still().await?;
    let client = stack.client();
    let patient = client.login(PATIENT.login, PATIENT.pin).await?;
    let nurse = client.login(NURSE.login, NURSE.pin).await?;
    let report_id = submitted(&client, &patient, PATIENT).await?;
    refuse(&stack, rules::shape(&patient)).await?;
    refuse(&stack, rules::capture(&patient)).await?;
    refuse(&stack, rules::answers(&patient)).await?;
    refuse(&stack, rules::choices(&patient)).await?;
    refuse(&stack, rules::windows(&stack, &patient).await?).await?;
    refuse(&stack, rules::retired(&stack, &patient).await?).await?;
    refuse(&stack, rules::elsewhere(&patient, &nurse, &report_id)).await?;
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn who_may_not_is_refused_and_stores_nothing() -> anyhow::Result<()> {
    let stack = still().await?;
    let cases = people::without_a_good_token(&stack).await?;
    refuse(&stack, cases).await?;
    let cases = people::with_spent_tokens(&stack).await?;
    refuse(&stack, cases).await?;
    let cases = people::in_the_wrong_place(&stack).await?;
    refuse(&stack, cases).await?;
    let cases = people::who_have_left(&stack).await?;
    refuse(&stack, cases).await?;
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn what_contradicts_the_stored_is_refused_and_stores_nothing() -> anyhow::Result<()> {
    let stack = still().await?;
    let cases = conflicts::with_earlier_requests(&stack).await?;
    refuse(&stack, cases).await?;
    let cases = conflicts::with_a_closed_study(&stack).await?;
    refuse(&stack, cases).await?;
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn all_broken_rules_are_listed_at_once() -> anyhow::Result<()> {
    let stack = Stack::start().await?;
    let client = stack.client();
    let token = client.login(PATIENT.login, PATIENT.pin).await?;
    let mut body = report(PATIENT.assignment);
    body["answers"] = json!({"pain": 11, "rescue": true, "temperature": 50.5});
    body["attested"] = json!(false);
    let answer = client.submit(&token, "key", &body).await?.expect_status(422)?;
    let expected = json!([
        {"pointer": "/attested", "code": "attested"},
        {"pointer": "/answers/pain", "link_id": "pain", "code": "range"},
        {"pointer": "/answers/temperature", "link_id": "temperature", "code": "range"},
        {"pointer": "/answers/rescue_doses", "link_id": "rescue_doses", "code": "required"},
    ]);
    assert_eq!(answer.json()["errors"], expected);
    assert_eq!(rows(&stack).await?.reports, 0);

    // The trace names the broken rules without being an error, because the mistake is the patient's.
    let trace_id = answer.trace_id().unwrap_or_default();
    let trace = stack.otlp.wait_for(&trace_id, DEADLINE, |trace| is_whole(trace, "validate report")).await?;
    let check = trace.named("validate report");
    let rules: Vec<_> = check[0].events.iter().map(|event| event.attributes["epro.rule.id"].clone()).collect();
    assert_eq!(rules, ["attested", "range", "range", "required"]);
    assert_eq!(trace.errors().len(), 0, "{trace}");
    stack.stop().await?;
    Ok(())
}
