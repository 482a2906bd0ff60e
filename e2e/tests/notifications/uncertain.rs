//! A message that was handed over without an answer may have arrived, so it is neither delivered nor failed.

use std::time::Duration;

use e2e::{DEADLINE, NURSE, NURSES_PER_SITE, PATIENT, seen, submitted};
use serde_json::json;
use testkit::stack::{Builder, Service, Stack};
use testkit::{poll, sms, smtp};

use super::reconcile::{CLEAN, reconcile};
use super::{count, eager, wait_for_count};

/// Longer than any test.
const NEVER: Duration = Duration::from_mins(10);

/// A stack with short answer timeouts.
fn impatient() -> Builder {
    eager().env(Service::NotifySvc, "EPRO_SMS__ANSWER_TIMEOUT", "300ms").env(
        Service::NotifySvc,
        "EPRO_SMTP__ANSWER_TIMEOUT",
        "300ms",
    )
}

/// Waits until every notification of a channel has had this many attempts and is uncertain.
async fn wait_until_uncertain(stack: &Stack, channel: &str, attempts: i32) -> anyhow::Result<()> {
    let found = async || {
        let count: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM clinical.notification
             WHERE channel = $1 AND uncertain AND attempts = $2 AND lease_until IS NULL",
        )
        .bind(channel)
        .bind(attempts)
        .fetch_one(&mut stack.database.connect().await?)
        .await?;
        Ok(usize::try_from(count)?)
    };
    assert_eq!(poll::until(DEADLINE, found, |found| *found == NURSES_PER_SITE).await?, NURSES_PER_SITE);
    Ok(())
}

#[tokio::test]
async fn a_mail_that_is_taken_and_answered_late_is_delivered_once() -> anyhow::Result<()> {
    let stack = eager().start().await?;
    stack.smtp.respond_with(smtp::Behaviour::AcceptAfter(Duration::from_secs(7)));
    let client = stack.client();
    let token = client.login(PATIENT.login, PATIENT.pin).await?;
    submitted(&client, &token, PATIENT).await?;
    wait_for_count(&stack, "email", "delivered", NURSES_PER_SITE).await?;
    assert_eq!(stack.smtp.journal().all().len(), NURSES_PER_SITE);
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_message_whose_answer_never_comes_is_uncertain_and_not_sent_again_soon() -> anyhow::Result<()> {
    let stack = impatient().start().await?;
    stack.smtp.respond_with(smtp::Behaviour::AcceptAfter(NEVER));
    stack.sms.respond_next([sms::Behaviour::Hang, sms::Behaviour::Disconnect]);
    let client = stack.client();
    let patient = client.login(PATIENT.login, PATIENT.pin).await?;
    let nurse = client.login(NURSE.login, NURSE.pin).await?;
    submitted(&client, &patient, PATIENT).await?;
    for channel in ["sms", "email"] {
        wait_until_uncertain(&stack, channel, 1).await?;
    }

    let waits: Vec<bool> = sqlx::query_scalar(
        "SELECT due_at BETWEEN now() + interval '59 min' AND now() + interval '60 min' AND state = 'pending'
         FROM clinical.notification",
    )
    .fetch_all(&mut stack.database.connect().await?)
    .await?;
    assert_eq!(waits, [true; 2 * NURSES_PER_SITE]);
    assert_eq!((stack.sms.journal().all().len(), stack.smtp.journal().all().len()), (NURSES_PER_SITE, NURSES_PER_SITE));
    let is_unknown = |line: &serde_json::Value| line["message"] == "it is not known whether a notification arrived";
    assert_eq!(stack.wait_for_log(Service::DataSvc, DEADLINE, is_unknown).await?["level"], "WARN");
    let listed = seen(&client, &nurse, &format!("/v1/sites/{}/notifications?state=uncertain", PATIENT.site)).await?;
    let listed = listed["notifications"].as_array().cloned().unwrap_or_default();
    let shown: Vec<_> = listed.iter().map(|entry| (&entry["state"], &entry["last_outcome"])).collect();
    assert_eq!(shown, vec![(&json!("uncertain"), &json!("uncertain")); 2 * NURSES_PER_SITE]);
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn what_may_have_been_delivered_is_never_dead() -> anyhow::Result<()> {
    let stack = impatient()
        .env(Service::NotifySvc, "EPRO_DELIVERY__UNCERTAIN__BASE", "1s")
        .env(Service::NotifySvc, "EPRO_DELIVERY__GIVE_UP_AFTER", "3s")
        .env(Service::NotifySvc, "EPRO_BREAKER__FAILURES", "1000")
        .start()
        .await?;
    // The last attempt may be one that certainly failed.
    stack.smtp.respond_next([smtp::Behaviour::AcceptAfter(NEVER); NURSES_PER_SITE]);
    stack.smtp.respond_with(smtp::Behaviour::Disconnect);
    let client = stack.client();
    let token = client.login(PATIENT.login, PATIENT.pin).await?;
    submitted(&client, &token, PATIENT).await?;
    wait_for_count(&stack, "email", "uncertain", NURSES_PER_SITE).await?;
    assert_eq!(count(&stack, "%", "dead").await?, 0);
    let is_given_up = |line: &serde_json::Value| line["message"] == "notification is given up as uncertain";
    assert_eq!(stack.wait_for_log(Service::DataSvc, DEADLINE, is_given_up).await?["level"], "WARN");
    wait_for_count(&stack, "sms", "delivered", NURSES_PER_SITE).await?;
    assert_eq!(reconcile(&stack, &["--stuck-after", "0s"]).await?, (CLEAN.to_owned(), Some(0)));
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn what_may_have_been_delivered_and_is_then_refused_for_good_is_not_dead_either() -> anyhow::Result<()> {
    let stack = impatient().env(Service::NotifySvc, "EPRO_DELIVERY__UNCERTAIN__BASE", "100ms").start().await?;
    stack.smtp.respond_next([smtp::Behaviour::AcceptAfter(NEVER); NURSES_PER_SITE]);
    stack.smtp.respond_with(smtp::Behaviour::RefuseRecipient);
    let client = stack.client();
    let token = client.login(PATIENT.login, PATIENT.pin).await?;
    submitted(&client, &token, PATIENT).await?;
    wait_for_count(&stack, "email", "uncertain", NURSES_PER_SITE).await?;
    assert_eq!(count(&stack, "%", "dead").await?, 0);
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn urgent_news_that_may_not_have_arrived_is_sent_again_sooner() -> anyhow::Result<()> {
    let stack = impatient().env(Service::NotifySvc, "EPRO_DELIVERY__URGENT_UNCERTAIN__BASE", "100ms").start().await?;
    stack.smtp.respond_next([smtp::Behaviour::AcceptAfter(NEVER); NURSES_PER_SITE]);
    let client = stack.client();
    let token = client.login(PATIENT.login, PATIENT.pin).await?;
    let mut body = testkit::client::report(PATIENT.assignment);
    body["answers"]["pain"] = json!(9);
    client.submit(&token, "key", &body).await?.expect_status(201)?;
    wait_for_count(&stack, "email", "delivered", NURSES_PER_SITE).await?;
    assert_eq!(stack.smtp.journal().all().len(), 2 * NURSES_PER_SITE);
    stack.stop().await?;
    Ok(())
}
