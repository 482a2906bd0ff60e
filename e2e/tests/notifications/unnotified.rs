//! A report that no nurse was notified of is found, listed for the nurses of the study, and escalated to them.

use std::time::Duration;

use e2e::setup::deactivate;
use e2e::{DEADLINE, NURSES_PER_SITE, OTHER_NURSE, PATIENT, problem, seen, submitted};
use migrations::demo::{NURSES, STUDY};
use serde_json::{Value, json};
use testkit::client::{Client, Token, report};
use testkit::stack::{Service, Stack};
use testkit::{poll, sms, smtp};

use super::reconcile::{CLEAN, reconcile};
use super::{eager, wait_for_count};

/// Makes all messages to nurses of the patient's site fail.
fn cut_off(stack: &Stack) {
    for nurse in NURSES.iter().filter(|nurse| nurse.site == PATIENT.site) {
        stack.sms.respond_to(nurse.phone, sms::Behaviour::Refuse(400));
        stack.smtp.respond_to(nurse.email, smtp::Behaviour::RefuseRecipient);
    }
}

/// The study's list as a nurse of the other site sees it.
async fn listed(client: &Client, nurse: &Token, query: &str) -> anyhow::Result<Value> {
    seen(client, nurse, &format!("/v1/studies/{STUDY}/unnotified-reports{query}")).await
}

/// Waits for a log line with this message.
async fn logged(stack: &Stack, service: Service, message: &str) -> anyhow::Result<Value> {
    stack.wait_for_log(service, DEADLINE, |line| line["message"] == message).await
}

#[tokio::test]
async fn an_urgent_report_that_reached_nobody_is_told_to_the_whole_study_at_once() -> anyhow::Result<()> {
    let stack = eager()
        .env(Service::DataSvc, "EPRO_TELEMETRY__METRICS", "otlp")
        .env(Service::DataSvc, "OTEL_METRIC_EXPORT_INTERVAL", "200")
        .start()
        .await?;
    cut_off(&stack);
    let client = stack.client();
    let token = client.login(PATIENT.login, PATIENT.pin).await?;
    let mut body = report(PATIENT.assignment);
    body["answers"]["pain"] = json!(9);
    let report_id = client.submit(&token, "key", &body).await?.expect_status(201)?.text("report_id")?;

    let line = logged(&stack, Service::DataSvc, "nobody is told of this report").await?;
    assert_eq!(
        (&line["report_id"], &line["urgent"], &line["level"]),
        (&json!(report_id), &json!(true), &json!("WARN"))
    );
    wait_for_count(&stack, "%", "delivered", 2 * NURSES_PER_SITE).await?;
    let expected = format!(
        "URGENT ePRO: nobody was told of a report at another site of your study. \
         https://study.example.org/studies/{STUDY}/unnotified-reports"
    );
    for message in stack.sms.accepted() {
        assert!(NURSES.iter().any(|nurse| nurse.site == OTHER_NURSE.site && nurse.phone == message.to));
        assert_eq!(message.body, expected);
    }
    assert_eq!((stack.sms.accepted().len(), stack.smtp.accepted().len()), (NURSES_PER_SITE, NURSES_PER_SITE));
    let count = async || Ok(stack.otlp.sum("epro.report.unnotified", &[]));
    assert_eq!(poll::until(DEADLINE, count, |count| *count > 0).await?, 1);
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn what_can_wait_is_listed_until_somebody_is_told() -> anyhow::Result<()> {
    let stack = eager().start().await?;
    cut_off(&stack);
    let client = stack.client();
    let patient = client.login(PATIENT.login, PATIENT.pin).await?;
    let nurse = client.login(OTHER_NURSE.login, OTHER_NURSE.pin).await?;
    let report_id = submitted(&client, &patient, PATIENT).await?;
    logged(&stack, Service::DataSvc, "nobody is told of this report").await?;

    let answer = listed(&client, &nurse, "").await?;
    let mut shown = answer["reports"].as_array().cloned().unwrap_or_default();
    assert!(shown[0]["since"].take().is_string(), "{answer}");
    assert_eq!(shown, [json!({"report_id": report_id, "site_id": PATIENT.site, "urgent": false, "since": null})]);
    let path = format!("/v1/studies/{STUDY}/unnotified-reports");
    problem(&client.get(&path, Some(&patient)).await?, 403, "wrong-role")?;
    let other = format!("/v1/studies/{}/unnotified-reports", PATIENT.site);
    problem(&client.get(&other, Some(&nurse)).await?, 404, "study-not-found")?;
    let unnotified = format!("1 reports that nobody was told of, 0 stuck notifications\nreport {report_id}\n");
    assert_eq!(reconcile(&stack, &[]).await?, (unnotified, Some(1)));

    // Simulates that the study's time until escalation has passed.
    sqlx::query("UPDATE clinical.unnotified_report SET escalate_at = now()")
        .execute(&mut stack.database.connect().await?)
        .await?;
    wait_for_count(&stack, "%", "delivered", 2 * NURSES_PER_SITE).await?;
    assert_eq!(reconcile(&stack, &[]).await?, (CLEAN.to_owned(), Some(0)));
    // The message links to this list. The report stays in it until a nurse of its own site knows of it.
    assert_eq!(listed(&client, &nurse, "").await?["reports"][0]["report_id"], json!(report_id));
    let own = client.login(NURSES[0].login, NURSES[0].pin).await?;
    client.review(&own, &report_id, "approved").await?.expect_status(201)?;
    assert_eq!(listed(&client, &nurse, "").await?["reports"], json!([]));
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn what_is_escalated_together_is_told_in_one_message() -> anyhow::Result<()> {
    let stack = eager().start().await?;
    cut_off(&stack);
    let client = stack.client();
    let patient = client.login(PATIENT.login, PATIENT.pin).await?;
    for _ in 0..3 {
        submitted(&client, &patient, PATIENT).await?;
    }
    let mut database = stack.database.connect().await?;
    let found = async || {
        let count = sqlx::query_scalar("SELECT count(*) FROM clinical.unnotified_report");
        Ok(count.fetch_one(&mut database).await?)
    };
    let found: i64 = poll::until(DEADLINE, found, |found| *found == 3).await?;
    assert_eq!(found, 3);

    // With a slow provider the later ones wait, and are put together.
    stack.sms.respond_next([sms::Behaviour::AcceptAfter(Duration::from_secs(2)); NURSES_PER_SITE]);
    sqlx::query("UPDATE clinical.unnotified_report SET escalate_at = now()")
        .execute(&mut stack.database.connect().await?)
        .await?;
    wait_for_count(&stack, "%", "delivered", 3 * 2 * NURSES_PER_SITE).await?;
    assert!(stack.sms.accepted().len() < 3 * NURSES_PER_SITE, "{:#?}", stack.sms.accepted());
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn an_escalation_whose_nurses_cannot_be_looked_up_is_tried_again_within_seconds() -> anyhow::Result<()> {
    let mut stack = eager().start().await?;
    cut_off(&stack);
    let client = stack.client();
    let patient = client.login(PATIENT.login, PATIENT.pin).await?;
    submitted(&client, &patient, PATIENT).await?;
    logged(&stack, Service::DataSvc, "nobody is told of this report").await?;

    stack.kill(Service::UserSvc).await?;
    sqlx::query("UPDATE clinical.unnotified_report SET escalate_at = now()")
        .execute(&mut stack.database.connect().await?)
        .await?;
    logged(&stack, Service::NotifySvc, "background work failed").await?;
    stack.restart(Service::UserSvc).await?;
    wait_for_count(&stack, "%", "delivered", 2 * NURSES_PER_SITE).await?;
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_report_that_reaches_nobody_once_more_is_found_once_more_even_if_that_is_overlooked() -> anyhow::Result<()> {
    let stack = eager().env(Service::DataSvc, "EPRO_UNNOTIFIED__LOOK_EVERY", "200ms").start().await?;
    for nurse in NURSES {
        stack.sms.respond_to(nurse.phone, sms::Behaviour::Refuse(400));
        stack.smtp.respond_to(nurse.email, smtp::Behaviour::RefuseRecipient);
    }
    let client = stack.client();
    let patient = client.login(PATIENT.login, PATIENT.pin).await?;
    submitted(&client, &patient, PATIENT).await?;
    logged(&stack, Service::DataSvc, "nobody is told of this report").await?;
    let mut database = stack.database.connect().await?;
    sqlx::query("UPDATE clinical.unnotified_report SET escalate_at = now()").execute(&mut database).await?;
    wait_for_count(&stack, "%", "dead", 2 * NURSES.len()).await?;

    // Simulates that data-svc died after an escalation had begun, and the escalation failed.
    sqlx::query("UPDATE clinical.unnotified_report SET escalate_at = NULL").execute(&mut database).await?;
    let due = async || {
        let count = sqlx::query_scalar("SELECT count(escalate_at) FROM clinical.unnotified_report");
        Ok(count.fetch_one(&mut database).await?)
    };
    let found: i64 = poll::until(DEADLINE, due, |found| *found == 1).await?;
    assert_eq!(found, 1);
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_report_that_a_nurse_has_reviewed_is_known_to_somebody() -> anyhow::Result<()> {
    let stack = eager().start().await?;
    cut_off(&stack);
    let client = stack.client();
    let patient = client.login(PATIENT.login, PATIENT.pin).await?;
    let nurse = client.login(NURSES[0].login, NURSES[0].pin).await?;
    let report_id = submitted(&client, &patient, PATIENT).await?;
    logged(&stack, Service::DataSvc, "nobody is told of this report").await?;
    client.review(&nurse, &report_id, "approved").await?.expect_status(201)?;
    assert_eq!(listed(&client, &nurse, "").await?["reports"], json!([]));
    assert_eq!(reconcile(&stack, &[]).await?, (CLEAN.to_owned(), Some(0)));
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn where_nobody_can_be_told_at_all_it_is_an_error_and_lists_have_a_bound() -> anyhow::Result<()> {
    let stack = eager().start().await?;
    let client = stack.client();
    let patient = client.login(PATIENT.login, PATIENT.pin).await?;
    let nurse = client.login(OTHER_NURSE.login, OTHER_NURSE.pin).await?;
    for nurse in NURSES.iter().filter(|nurse| nurse.site == PATIENT.site) {
        deactivate(&stack, nurse.id).await?;
    }
    let first = submitted(&client, &patient, PATIENT).await?;
    submitted(&client, &patient, PATIENT).await?;
    let page = listed(&client, &nurse, "?limit=1").await?;
    assert_eq!(page["reports"].as_array().map(Vec::len), Some(1), "{page}");
    let next = format!("?limit=1&cursor={}", page["next_cursor"].as_str().unwrap_or_default());
    let last = listed(&client, &nurse, &next).await?;
    assert_eq!((&last["reports"][0]["report_id"], &last["next_cursor"]), (&json!(first), &Value::Null));
    let expected =
        format!("2 reports that nobody was told of, 0 stuck notifications\nreport {first}\nand 1 more reports\n");
    assert_eq!(reconcile(&stack, &["--limit", "1"]).await?, (expected, Some(1)));

    for nurse in NURSES.iter().filter(|nurse| nurse.site == OTHER_NURSE.site) {
        deactivate(&stack, nurse.id).await?;
    }
    sqlx::query("UPDATE clinical.unnotified_report SET escalate_at = now()")
        .execute(&mut stack.database.connect().await?)
        .await?;
    let line = logged(&stack, Service::NotifySvc, "nobody in the study can be told of this report").await?;
    assert_eq!(line["level"], "ERROR");
    stack.stop().await?;
    Ok(())
}
