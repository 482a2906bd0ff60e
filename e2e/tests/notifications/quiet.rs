//! Messages that can wait are not sent in a site's quiet hours, whatever has delayed them until then.

use e2e::{DEADLINE, NURSES_PER_SITE, PATIENT, submitted};
use serde_json::json;
use testkit::client::report;
use testkit::stack::{Service, Stack};
use testkit::trace::Trace;
use testkit::{poll, sms};

use super::reconcile::{CLEAN, reconcile};
use super::{eager, wait_for_count};

/// Gives the patient's site quiet hours that began an hour ago and last two more hours.
async fn keep_quiet(stack: &Stack) -> anyhow::Result<()> {
    sqlx::query(
        "UPDATE clinical.site
         SET quiet_from = ((now() - interval '1 hour') AT TIME ZONE time_zone)::time,
             quiet_until = ((now() + interval '2 hours') AT TIME ZONE time_zone)::time
         WHERE site_id = $1",
    )
    .bind(PATIENT.site)
    .execute(&mut stack.database.connect().await?)
    .await?;
    Ok(())
}

/// The number of notifications that are due at the end of their site's quiet hours and have no lease.
async fn held_back(stack: &Stack, attempts: i32) -> anyhow::Result<usize> {
    let count: i64 = sqlx::query_scalar(
        "SELECT count(*)
         FROM clinical.notification JOIN clinical.site USING (site_id)
         WHERE (due_at AT TIME ZONE time_zone)::time = quiet_until AND due_at > now()
           AND state = 'pending' AND lease_until IS NULL AND attempts = $1",
    )
    .bind(attempts)
    .fetch_one(&mut stack.database.connect().await?)
    .await?;
    Ok(count.try_into()?)
}

async fn wait_until_held_back(stack: &Stack, wanted: usize, attempts: i32) -> anyhow::Result<()> {
    let found = poll::until(DEADLINE, async || held_back(stack, attempts).await, |found| *found == wanted).await?;
    assert_eq!(found, wanted);
    Ok(())
}

#[tokio::test]
async fn an_alert_is_told_as_urgent_on_both_channels_even_in_quiet_hours() -> anyhow::Result<()> {
    let stack = Stack::start().await?;
    keep_quiet(&stack).await?;
    let client = stack.client();
    let token = client.login(PATIENT.login, PATIENT.pin).await?;
    let mut body = report(PATIENT.assignment);
    body["answers"]["pain"] = json!(9);
    client.submit(&token, "key", &body).await?.expect_status(201)?;

    wait_for_count(&stack, "%", "delivered", 2 * NURSES_PER_SITE).await?;
    for message in stack.sms.accepted() {
        let text = "URGENT ePRO: a new report at your site needs review. http";
        assert!(message.body.starts_with(text), "{}", message.body);
    }
    for mail in stack.smtp.accepted() {
        assert_eq!(mail.subject().as_deref(), Some("URGENT ePRO: a new report needs review"));
        assert!(mail.body().starts_with("URGENT ePRO:"), "{}", mail.body());
    }
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn what_is_not_urgent_waits_for_the_end_of_quiet_hours() -> anyhow::Result<()> {
    let stack = Stack::start().await?;
    keep_quiet(&stack).await?;
    let client = stack.client();
    let token = client.login(PATIENT.login, PATIENT.pin).await?;
    let trace_id = client.submit_new(&token, PATIENT.assignment).await?.expect_status(201)?.trace_id();
    let hint_is_done = |trace: &Trace| !trace.named("deliver notification").is_empty() && trace.orphans().is_empty();
    stack.otlp.wait_for(&trace_id.unwrap_or_default(), DEADLINE, hint_is_done).await?;
    let mut database = stack.database.connect().await?;
    let waits: Vec<bool> = sqlx::query_scalar(
        "SELECT (due_at AT TIME ZONE time_zone)::time = quiet_until
                AND due_at - created_at BETWEEN interval '119 min' AND interval '121 min' AND state = 'pending'
         FROM clinical.notification JOIN clinical.site USING (site_id)",
    )
    .fetch_all(&mut database)
    .await?;
    assert_eq!(waits, [true; 2 * NURSES_PER_SITE]);
    assert_eq!(stack.sms.journal().all().len(), 0);

    // Simulates that two hours have passed.
    sqlx::query(
        "UPDATE clinical.site SET quiet_until = (now() AT TIME ZONE time_zone)::time WHERE quiet_from IS NOT NULL",
    )
    .execute(&mut database)
    .await?;
    sqlx::query("UPDATE clinical.notification SET due_at = now()").execute(&mut database).await?;
    wait_for_count(&stack, "%", "delivered", 2 * NURSES_PER_SITE).await?;
    assert_eq!(stack.sms.accepted().len(), NURSES_PER_SITE);
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_backlog_that_is_worked_off_in_quiet_hours_has_its_urgent_news_told_and_the_rest_waits() -> anyhow::Result<()>
{
    const REPORTS: usize = 3;
    // With one delivery at a time, notifications that wait must not block others.
    let mut stack = eager().env(Service::NotifySvc, "EPRO_DELIVERY__CONCURRENCY", "1").start().await?;
    let client = stack.client();
    let token = client.login(PATIENT.login, PATIENT.pin).await?;
    stack.kill(Service::NotifySvc).await?;
    for _ in 0..REPORTS {
        submitted(&client, &token, PATIENT).await?;
    }
    let mut body = report(PATIENT.assignment);
    body["answers"]["pain"] = json!(9);
    client.submit(&token, "key", &body).await?.expect_status(201)?;
    keep_quiet(&stack).await?;
    stack.restart(Service::NotifySvc).await?;

    wait_until_held_back(&stack, REPORTS * 2 * NURSES_PER_SITE, 0).await?;
    wait_for_count(&stack, "%", "delivered", 2 * NURSES_PER_SITE).await?;
    assert_eq!((stack.sms.journal().all().len(), stack.smtp.journal().all().len()), (NURSES_PER_SITE, NURSES_PER_SITE));
    assert_eq!(reconcile(&stack, &["--stuck-after", "0s"]).await?, (CLEAN.to_owned(), Some(0)), "it is not stuck");
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn another_attempt_that_would_come_in_quiet_hours_waits_for_their_end() -> anyhow::Result<()> {
    let stack = eager().start().await?;
    stack.sms.respond_with(sms::Behaviour::TooManyRequests { retry_after: 3 });
    let client = stack.client();
    let token = client.login(PATIENT.login, PATIENT.pin).await?;
    submitted(&client, &token, PATIENT).await?;
    stack.sms.journal().wait_until(DEADLINE, |messages| messages.len() == NURSES_PER_SITE).await?;
    wait_for_count(&stack, "email", "delivered", NURSES_PER_SITE).await?;
    keep_quiet(&stack).await?;
    wait_until_held_back(&stack, NURSES_PER_SITE, 1).await?;
    assert_eq!(stack.sms.journal().all().len(), NURSES_PER_SITE);
    stack.stop().await?;
    Ok(())
}
