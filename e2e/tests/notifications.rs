//! The nurses are notified once, at the right time and on every working channel, whatever fails in between.

mod backlog;
mod copies;
mod dead;
mod flood;
mod quiet;
mod reconcile;
mod uncertain;
mod unnotified;

use std::collections::BTreeSet;

use e2e::{DEADLINE, NURSE, NURSES_PER_SITE, PATIENT, submitted};
use serde_json::json;
use testkit::stack::{Builder, Service, Stack};
use testkit::trace::{Kind, Trace};
use testkit::{contract, poll, sms};

/// A stack whose sweeper runs as often as possible.
fn eager() -> Builder {
    Stack::builder()
        .env(Service::NotifySvc, "EPRO_SWEEP__OVERDUE", "0s")
        .env(Service::NotifySvc, "EPRO_SWEEP__INTERVAL", "100ms")
        .env(Service::NotifySvc, "EPRO_DELIVERY__BACKOFF__CAP", "100ms")
}

/// The number of notifications in this state, on a channel such as `sms`, or `%` for all.
async fn count(stack: &Stack, channel: &str, state: &str) -> anyhow::Result<usize> {
    let count: i64 =
        sqlx::query_scalar("SELECT count(*) FROM clinical.notification WHERE channel LIKE $1 AND state = $2")
            .bind(channel)
            .bind(state)
            .fetch_one(&mut stack.database.connect().await?)
            .await?;
    Ok(count.try_into()?)
}

async fn wait_for_count(stack: &Stack, channel: &str, state: &str, wanted: usize) -> anyhow::Result<()> {
    let found = poll::until(DEADLINE, async || count(stack, channel, state).await, |found| *found == wanted).await?;
    assert_eq!(found, wanted, "{channel} {state}");
    Ok(())
}

/// The number of attempts that were recorded so far.
fn recorded(trace: &Trace) -> usize {
    let recorded = trace.named("epro.data.v1.DataService/RecordDelivery");
    recorded.iter().filter(|span| span.kind == Kind::Server).count()
}

fn all_recorded(trace: &Trace) -> bool {
    recorded(trace) == 2 * NURSES_PER_SITE && trace.orphans().is_empty()
}

#[tokio::test]
async fn a_number_that_is_refused_is_dead_at_once_and_the_mail_still_goes() -> anyhow::Result<()> {
    let stack = eager().start().await?;
    stack.sms.respond_to(NURSE.phone, sms::Behaviour::Refuse(400));
    let client = stack.client();
    let token = client.login(PATIENT.login, PATIENT.pin).await?;
    let trace_id = client.submit_new(&token, PATIENT.assignment).await?.expect_status(201)?.trace_id();
    let trace = stack.otlp.wait_for(&trace_id.unwrap_or_default(), DEADLINE, all_recorded).await?;

    let outcomes: Vec<_> = trace.named("send sms").iter().map(|span| span.text("epro.delivery.outcome")).collect();
    assert_eq!(BTreeSet::from_iter(outcomes), BTreeSet::from([Some("delivered"), Some("rejected")]), "{trace}");
    assert!(trace.named("send email").iter().all(|span| span.text("epro.delivery.channel") == Some("email")));
    assert_eq!(count(&stack, "sms", "dead").await?, 1);
    assert_eq!(count(&stack, "email", "delivered").await?, NURSES_PER_SITE);
    let is_dead = |line: &serde_json::Value| line["message"] == "notification is dead";
    let line = stack.wait_for_log(Service::DataSvc, DEADLINE, is_dead).await?;
    assert_eq!(
        (&line["channel"], &line["outcome"], &line["level"]),
        (&json!("sms"), &json!("rejected"), &json!("WARN"))
    );
    assert_eq!(line["trace_id"].as_str(), trace.spans.first().map(|span| span.trace_id.as_str()));
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_number_of_ours_that_is_refused_costs_no_message() -> anyhow::Result<()> {
    let stack = eager().start().await?;
    stack.sms.respond_next([sms::Behaviour::RefuseSender; NURSES_PER_SITE]);
    let client = stack.client();
    let token = client.login(PATIENT.login, PATIENT.pin).await?;
    submitted(&client, &token, PATIENT).await?;
    wait_for_count(&stack, "%", "delivered", 2 * NURSES_PER_SITE).await?;
    assert_eq!(stack.sms.journal().all().len(), 2 * NURSES_PER_SITE);
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn what_could_only_be_delivered_too_late_is_dead() -> anyhow::Result<()> {
    let stack = eager().env(Service::NotifySvc, "EPRO_DELIVERY__GIVE_UP_AFTER", "20s").start().await?;
    stack.sms.respond_with(sms::Behaviour::TooManyRequests { retry_after: 21 });
    let client = stack.client();
    let token = client.login(PATIENT.login, PATIENT.pin).await?;
    submitted(&client, &token, PATIENT).await?;

    wait_for_count(&stack, "sms", "dead", NURSES_PER_SITE).await?;
    wait_for_count(&stack, "email", "delivered", NURSES_PER_SITE).await?;
    let is_dead = |line: &serde_json::Value| line["message"] == "notification is dead";
    let line = stack.wait_for_log(Service::DataSvc, DEADLINE, is_dead).await?;
    assert_eq!((&line["channel"], &line["outcome"]), (&json!("sms"), &json!("throttled")));
    assert_eq!(stack.sms.journal().all().len(), NURSES_PER_SITE);
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_provider_that_keeps_failing_is_left_alone_until_one_message_gets_through() -> anyhow::Result<()> {
    const REPORTS: usize = 10;
    let stack = eager()
        .env(Service::NotifySvc, "EPRO_DELIVERY__CONCURRENCY", "1")
        .env(Service::NotifySvc, "EPRO_BREAKER__FAILURES", "3")
        .env(Service::NotifySvc, "EPRO_BREAKER__OPEN_FOR", "2s")
        .start()
        .await?;
    stack.sms.respond_with(sms::Behaviour::Refuse(503));
    let client = stack.client();
    let token = client.login(PATIENT.login, PATIENT.pin).await?;
    let down = std::time::Instant::now();
    for _ in 0..REPORTS {
        submitted(&client, &token, PATIENT).await?;
    }
    wait_for_count(&stack, "email", "delivered", REPORTS * NURSES_PER_SITE).await?;
    let is_open = |line: &serde_json::Value| line["message"] == "provider is left alone";
    stack.wait_for_log(Service::NotifySvc, DEADLINE, is_open).await?;
    let sent = stack.sms.journal().all().len();
    // The circuit opens at the third failure. Then there are those of one report that were in flight, and a probe every
    // two seconds.
    let probes = usize::try_from(down.elapsed().as_secs() / 2)? + 1;
    assert!(sent <= 3 + NURSES_PER_SITE + probes, "{sent} requests");
    assert_eq!(count(&stack, "sms", "pending").await?, REPORTS * NURSES_PER_SITE);

    stack.sms.respond_with(sms::Behaviour::Accept);
    wait_for_count(&stack, "sms", "delivered", REPORTS * NURSES_PER_SITE).await?;
    assert_eq!(stack.sms.accepted().len(), REPORTS * NURSES_PER_SITE);
    let attempts: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM clinical.delivery_attempt JOIN clinical.notification USING (notification_id)
         WHERE channel = 'sms'",
    )
    .fetch_one(&mut stack.database.connect().await?)
    .await?;
    assert_eq!(usize::try_from(attempts)?, stack.sms.journal().all().len(), "what was not sent is no attempt");
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_provider_that_is_down_is_tried_again_while_the_other_works_off_a_backlog() -> anyhow::Result<()> {
    const REPORTS: usize = 20;
    let mut stack = eager()
        .env(Service::NotifySvc, "EPRO_DELIVERY__CONCURRENCY", "1")
        .env(Service::NotifySvc, "EPRO_BREAKER__FAILURES", "1")
        // Shorter than the delivery of the mails takes.
        .env(Service::NotifySvc, "EPRO_BREAKER__OPEN_FOR", "200ms")
        .start()
        .await?;
    let client = stack.client();
    let token = client.login(PATIENT.login, PATIENT.pin).await?;
    stack.kill(Service::NotifySvc).await?;
    for _ in 0..REPORTS {
        submitted(&client, &token, PATIENT).await?;
    }
    stack.sms.respond_with(sms::Behaviour::Refuse(503));
    stack.restart(Service::NotifySvc).await?;
    wait_for_count(&stack, "email", "delivered", REPORTS * NURSES_PER_SITE).await?;
    stack.sms.respond_with(sms::Behaviour::Accept);
    wait_for_count(&stack, "sms", "delivered", REPORTS * NURSES_PER_SITE).await?;
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_nurse_who_has_left_before_it_is_sent_is_told_nothing() -> anyhow::Result<()> {
    let mut stack = eager().start().await?;
    let client = stack.client();
    let token = client.login(PATIENT.login, PATIENT.pin).await?;
    stack.kill(Service::NotifySvc).await?;
    submitted(&client, &token, PATIENT).await?;
    sqlx::query("UPDATE identity.person SET active = false WHERE person_id = $1")
        .bind(NURSE.id)
        .execute(&mut stack.database.connect().await?)
        .await?;

    stack.restart(Service::NotifySvc).await?;
    wait_for_count(&stack, "%", "cancelled", 2).await?;
    wait_for_count(&stack, "%", "delivered", 2 * (NURSES_PER_SITE - 1)).await?;
    assert!(stack.sms.journal().all().iter().all(|message| message.to != NURSE.phone));
    assert!(stack.smtp.journal().all().iter().all(|mail| mail.to != [NURSE.email]));
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_delivery_whose_trace_is_old_has_a_trace_of_its_own_that_points_to_it() -> anyhow::Result<()> {
    let mut stack = eager().env(Service::NotifySvc, "EPRO_DELIVERY__TRACE_AGE", "0s").start().await?;
    let client = stack.client();
    let token = client.login(PATIENT.login, PATIENT.pin).await?;
    stack.kill(Service::NotifySvc).await?;
    let trace_id = client.submit_new(&token, PATIENT.assignment).await?.expect_status(201)?.trace_id();
    stack.restart(Service::NotifySvc).await?;

    let shape = contract::deliver_late(NURSES_PER_SITE);
    let late = async || {
        let is_late = |trace: &Trace| trace.roots().iter().any(|root| root.name == "deliver notification");
        Ok(stack.otlp.traces().into_iter().find(is_late).unwrap_or_default())
    };
    let late = poll::until(DEADLINE, late, |trace| trace.has_shape(&shape)).await?;
    late.assert_shape(&shape)?;
    assert_eq!(contract::check_attributes(&late), Vec::<String>::new());
    let first = stack.otlp.trace(&trace_id.unwrap_or_default());
    let created = first.one("data-svc", "create notification", Kind::Producer)?;
    let links: Vec<_> =
        late.roots()[0].links.iter().map(|link| (link.trace_id.as_str(), link.span_id.as_str())).collect();
    assert_eq!(links, [(created.trace_id.as_str(), created.span_id.as_str())]);
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_late_delivery_in_a_young_trace_has_the_shape_of_one() -> anyhow::Result<()> {
    let mut stack = eager().start().await?;
    let client = stack.client();
    let token = client.login(PATIENT.login, PATIENT.pin).await?;
    stack.kill(Service::NotifySvc).await?;
    let trace_id = client.submit_new(&token, PATIENT.assignment).await?.expect_status(201)?.trace_id();
    stack.restart(Service::NotifySvc).await?;
    let late = contract::deliver_late(NURSES_PER_SITE);
    // Services export separately, so the spans of the delivery may arrive last.
    let has_late = |trace: &Trace| {
        let deliver = trace.one("notify-svc", "deliver notification", Kind::Consumer);
        deliver.is_ok_and(|deliver| trace.subtree(deliver).has_shape(&late))
    };
    stack.otlp.wait_for(&trace_id.unwrap_or_default(), DEADLINE, has_late).await?;
    stack.stop().await?;
    Ok(())
}
