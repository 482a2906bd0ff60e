//! Waiting notifications, their leases, and what happens to a lease when something fails.

use std::time::Duration;

use e2e::{DEADLINE, NURSES_PER_SITE, PATIENT, is_whole, submitted};
use serde_json::json;
use testkit::client::report;
use testkit::stack::{Service, Stack};
use testkit::trace::{Kind, Trace};
use testkit::{poll, sms};

use super::{count, eager, wait_for_count};

async fn number(stack: &Stack, query: &'static str) -> anyhow::Result<i64> {
    Ok(sqlx::query_scalar(query).fetch_one(&mut stack.database.connect().await?).await?)
}

#[tokio::test]
async fn of_a_backlog_the_urgent_news_is_told_first() -> anyhow::Result<()> {
    let mut stack = eager().env(Service::NotifySvc, "EPRO_DELIVERY__CONCURRENCY", "1").start().await?;
    let client = stack.client();
    let token = client.login(PATIENT.login, PATIENT.pin).await?;
    stack.kill(Service::NotifySvc).await?;
    for _ in 0..3 {
        submitted(&client, &token, PATIENT).await?;
    }
    let mut body = report(PATIENT.assignment);
    body["answers"]["pain"] = json!(9);
    client.submit(&token, "key", &body).await?.expect_status(201)?;
    stack.restart(Service::NotifySvc).await?;
    wait_for_count(&stack, "%", "delivered", 4 * 2 * NURSES_PER_SITE).await?;

    let texts: Vec<_> = stack.sms.accepted().iter().map(|message| message.body.starts_with("URGENT")).collect();
    let mails: Vec<_> = stack.smtp.accepted().iter().map(|mail| mail.body().starts_with("URGENT")).collect();
    for urgent in [texts, mails] {
        assert!(urgent.is_sorted_by(|before, after| before >= after), "{urgent:?}");
        assert_eq!(urgent.iter().filter(|urgent| **urgent).count(), NURSES_PER_SITE);
    }
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_claim_whose_nurses_cannot_be_looked_up_is_given_back_and_is_no_attempt() -> anyhow::Result<()> {
    let mut stack = eager().start().await?;
    let client = stack.client();
    let token = client.login(PATIENT.login, PATIENT.pin).await?;
    stack.kill(Service::NotifySvc).await?;
    submitted(&client, &token, PATIENT).await?;
    stack.kill(Service::UserSvc).await?;
    stack.restart(Service::NotifySvc).await?;
    let given_back = async || {
        number(
            &stack,
            "SELECT count(*) FROM clinical.notification
             WHERE due_at > created_at AND lease_until IS NULL AND attempts = 0 AND state = 'pending'",
        )
        .await
    };
    let all = i64::try_from(2 * NURSES_PER_SITE)?;
    assert_eq!(poll::until(DEADLINE, given_back, |found| *found == all).await?, all);

    stack.restart(Service::UserSvc).await?;
    wait_for_count(&stack, "%", "delivered", 2 * NURSES_PER_SITE).await?;
    assert_eq!(number(&stack, "SELECT count(*) FROM clinical.notification WHERE attempts = 1").await?, all);
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn what_was_sent_while_data_svc_was_away_is_recorded_when_it_is_back_and_not_sent_again() -> anyhow::Result<()> {
    const RECORD: &str = "epro.data.v1.DataService/RecordDelivery";
    let mut stack = eager().start().await?;
    stack.sms.respond_with(sms::Behaviour::AcceptAfter(Duration::from_secs(2)));
    let client = stack.client();
    let token = client.login(PATIENT.login, PATIENT.pin).await?;
    let trace_id = client.submit_new(&token, PATIENT.assignment).await?.expect_status(201)?.trace_id();
    wait_for_count(&stack, "email", "delivered", NURSES_PER_SITE).await?;
    assert_eq!(count(&stack, "sms", "pending").await?, NURSES_PER_SITE);
    stack.kill(Service::DataSvc).await?;
    let is_refused = |trace: &Trace| {
        let refused = |span: &&testkit::trace::Span| span.kind == Kind::Client && span.status.is_error();
        trace.named(RECORD).iter().any(refused)
    };
    stack.otlp.wait_for(&trace_id.unwrap_or_default(), DEADLINE, is_refused).await?;
    stack.restart(Service::DataSvc).await?;

    wait_for_count(&stack, "sms", "delivered", NURSES_PER_SITE).await?;
    assert_eq!(stack.sms.journal().all().len(), NURSES_PER_SITE);
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn what_is_delivered_at_last_needs_no_attempt_that_was_begun_meanwhile() -> anyhow::Result<()> {
    let stack = eager().start().await?;
    stack.sms.respond_with(sms::Behaviour::AcceptAfter(Duration::from_secs(2)));
    let client = stack.client();
    let token = client.login(PATIENT.login, PATIENT.pin).await?;
    submitted(&client, &token, PATIENT).await?;
    stack.sms.journal().wait_until(DEADLINE, |messages| messages.len() == NURSES_PER_SITE).await?;
    // Simulates an expired lease that another worker has taken.
    sqlx::query(
        "UPDATE clinical.notification SET attempts = 2, lease_until = now() + interval '1 hour' WHERE channel = 'sms'",
    )
    .execute(&mut stack.database.connect().await?)
    .await?;
    wait_for_count(&stack, "sms", "delivered", NURSES_PER_SITE).await?;
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_service_that_is_told_to_stop_sends_what_it_has_claimed_and_claims_no_more() -> anyhow::Result<()> {
    let mut stack = Stack::builder().env(Service::NotifySvc, "EPRO_DELIVERY__CONCURRENCY", "1").start().await?;
    stack.sms.respond_with(sms::Behaviour::AcceptAfter(Duration::from_secs(3)));
    let client = stack.client();
    let token = client.login(PATIENT.login, PATIENT.pin).await?;
    for _ in 0..2 {
        submitted(&client, &token, PATIENT).await?;
    }
    let last = client.submit_new(&token, PATIENT.assignment).await?.expect_status(201)?.trace_id();
    stack.sms.journal().wait_until(DEADLINE, |messages| messages.len() == NURSES_PER_SITE).await?;
    // Waits until its hint is in the queue.
    let last = last.unwrap_or_default();
    let notify = "epro.notify.v1.NotifyService/Notify";
    stack.otlp.wait_for(&last, DEADLINE, |trace| is_whole(trace, notify)).await?;
    assert!(stack.terminate(Service::NotifySvc).await?.success());
    let claimed = "SELECT count(DISTINCT report_id) FROM clinical.notification WHERE attempts > 0";
    assert_eq!(number(&stack, claimed).await?, 1);
    assert_eq!(count(&stack, "%", "delivered").await?, 2 * NURSES_PER_SITE);
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_lease_that_ends_before_a_slow_delivery_is_refused_at_the_start() -> anyhow::Result<()> {
    let error = Stack::builder().env(Service::NotifySvc, "EPRO_DELIVERY__LEASE", "2m").start().await.err();
    let text = error.map(|error| format!("{error:#}")).unwrap_or_default();
    assert!(text.contains("delivery.lease is 2m, but a delivery may last 2m 200ms"), "{text}");
    Ok(())
}
