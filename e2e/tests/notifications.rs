//! The nurses are told: once, at the right time, on every channel that works, whatever fails meanwhile.

use std::collections::BTreeSet;
use std::time::Duration;

use e2e::{DEADLINE, NURSE, NURSES_PER_SITE, PATIENT, submitted};
use serde_json::json;
use testkit::client::report;
use testkit::stack::{Builder, Service, Stack};
use testkit::trace::{Kind, Trace};
use testkit::{contract, poll, sms};
use uuid::Uuid;

/// A stack whose sweeper is as fast as it can be.
fn eager() -> Builder {
    Stack::builder()
        .env(Service::NotifySvc, "EPRO_SWEEP__OVERDUE", "0s")
        .env(Service::NotifySvc, "EPRO_SWEEP__INTERVAL", "100ms")
        .env(Service::NotifySvc, "EPRO_DELIVERY__BACKOFF__CAP", "100ms")
}

/// How many notifications are in this state, on a channel such as `sms`, or `%` for all.
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

/// Gives the patient's site quiet hours that began an hour ago and last for two more.
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

/// Attempts recorded so far.
fn recorded(trace: &Trace) -> usize {
    let recorded = trace.named("epro.data.v1.DataService/RecordDelivery");
    recorded.iter().filter(|span| span.kind == Kind::Server).count()
}

fn all_recorded(trace: &Trace) -> bool {
    recorded(trace) == 2 * NURSES_PER_SITE && trace.orphans().is_empty()
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

    // As if two hours had passed.
    sqlx::query("UPDATE clinical.notification SET due_at = now()").execute(&mut database).await?;
    wait_for_count(&stack, "%", "delivered", 2 * NURSES_PER_SITE).await?;
    assert_eq!(stack.sms.accepted().len(), NURSES_PER_SITE);
    stack.stop().await?;
    Ok(())
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
    // Those of one report that were under way when the third failed, and one every two seconds.
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
async fn two_copies_share_the_work_and_send_nothing_twice() -> anyhow::Result<()> {
    const REPORTS: usize = 12;
    const MESSAGES: usize = REPORTS * NURSES_PER_SITE;
    let mut stack = eager().env(Service::NotifySvc, "EPRO_DELIVERY__CONCURRENCY", "2").start().await?;
    let client = stack.client();
    let token = client.login(PATIENT.login, PATIENT.pin).await?;
    stack.kill(Service::NotifySvc).await?;
    for _ in 0..REPORTS {
        submitted(&client, &token, PATIENT).await?;
    }
    stack.sms.respond_with(sms::Behaviour::AcceptAfter(Duration::from_millis(500)));
    stack.restart(Service::NotifySvc).await?;
    let copy = stack.replicate(Service::NotifySvc).await?;
    wait_for_count(&stack, "%", "delivered", 2 * MESSAGES).await?;
    assert_eq!((stack.sms.journal().all().len(), stack.smtp.journal().all().len()), (MESSAGES, MESSAGES));

    let traces = poll::until(
        DEADLINE,
        async || Ok(stack.otlp.traces()),
        |traces| {
            traces.iter().map(recorded).sum::<usize>() == 2 * MESSAGES
                && traces.iter().all(|trace| trace.orphans().is_empty())
        },
    )
    .await?;
    let mut copies = BTreeSet::new();
    for trace in &traces {
        for deliver in trace.named("deliver notification") {
            let within = trace.children(&deliver.span_id);
            assert!(within.iter().any(|span| span.name.starts_with("send ")), "a copy that was too late:\n{trace}");
            copies.insert(deliver.resource["service.instance.id"].to_string());
        }
    }
    assert_eq!(copies.len(), 2);
    assert!(copy.terminate().await?.success());
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn what_a_killed_copy_held_is_sent_by_another_when_the_lease_has_run_out() -> anyhow::Result<()> {
    let mut stack = eager().env(Service::NotifySvc, "EPRO_DELIVERY__LEASE", "3s").start().await?;
    stack.sms.respond_with(sms::Behaviour::Hang);
    let client = stack.client();
    let token = client.login(PATIENT.login, PATIENT.pin).await?;
    submitted(&client, &token, PATIENT).await?;
    stack.sms.journal().wait_until(DEADLINE, |messages| messages.len() == NURSES_PER_SITE).await?;
    let copy = stack.replicate(Service::NotifySvc).await?;
    stack.kill(Service::NotifySvc).await?;
    stack.sms.respond_with(sms::Behaviour::Accept);

    wait_for_count(&stack, "%", "delivered", 2 * NURSES_PER_SITE).await?;
    let messages = stack.sms.accepted();
    let keys: BTreeSet<_> = stack.sms.journal().all().into_iter().map(|message| message.idempotency_key).collect();
    assert_eq!((messages.len(), keys.len()), (NURSES_PER_SITE, NURSES_PER_SITE), "the provider can tell a repetition");
    assert!(copy.terminate().await?.success());
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

    let late = |trace: &Trace| trace.roots().iter().any(|root| root.name == "deliver notification");
    let traces = poll::until(
        DEADLINE,
        async || Ok(stack.otlp.traces()),
        |traces| traces.iter().any(|trace| late(trace) && all_recorded(trace)),
    )
    .await?;
    let late = traces.iter().find(|trace| late(trace)).cloned().unwrap_or_default();
    late.assert_shape(&contract::deliver_late(NURSES_PER_SITE))?;
    assert_eq!(contract::check_attributes(&late), Vec::<String>::new());
    let first = stack.otlp.trace(&trace_id.unwrap_or_default());
    let save = first.one("data-svc", "epro.data.v1.DataService/SaveReport", Kind::Server)?;
    let links: Vec<_> =
        late.roots()[0].links.iter().map(|link| (link.trace_id.as_str(), link.span_id.as_str())).collect();
    assert_eq!(links, [(save.trace_id.as_str(), save.span_id.as_str())]);
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
    let trace = stack.otlp.wait_for(&trace_id.unwrap_or_default(), DEADLINE, all_recorded).await?;
    let deliver = trace.one("notify-svc", "deliver notification", Kind::Consumer)?;
    let below = Trace::new(trace.spans.iter().filter(|span| span.start >= deliver.start).cloned().collect());
    let late = contract::deliver_late(NURSES_PER_SITE);
    assert!(below.shape().contains(&late) || below.has_shape(&late), "{trace}");
    stack.stop().await?;
    Ok(())
}

/// What `data-svc reconcile` says, and its exit code.
async fn reconcile(stack: &Stack, stuck_after: &str) -> anyhow::Result<(String, Option<i32>)> {
    let output = stack.command(Service::DataSvc, &["reconcile", "--stuck-after", stuck_after]).await?;
    Ok((String::from_utf8(output.stdout)?, output.status.code()))
}

#[tokio::test]
async fn reconciliation_names_what_is_stuck_and_who_was_never_told() -> anyhow::Result<()> {
    let mut stack = eager().start().await?;
    let client = stack.client();
    let token = client.login(PATIENT.login, PATIENT.pin).await?;
    stack.kill(Service::NotifySvc).await?;
    submitted(&client, &token, PATIENT).await?;
    let clean = ("0 reports without notifications, 0 stuck notifications\n".to_owned(), Some(0));
    assert_eq!(reconcile(&stack, "5m").await?, clean);
    let (text, code) = reconcile(&stack, "0s").await?;
    assert!(text.starts_with("0 reports without notifications, 4 stuck notifications\n"), "{text}");
    let mut database = stack.database.connect().await?;
    let ids: Vec<Uuid> =
        sqlx::query_scalar("SELECT notification_id FROM clinical.notification").fetch_all(&mut database).await?;
    assert!(ids.iter().all(|id| text.contains(&format!("\nnotification {id} pending"))), "{text}");
    assert_eq!(code, Some(1));

    stack.restart(Service::NotifySvc).await?;
    wait_for_count(&stack, "%", "delivered", 2 * NURSES_PER_SITE).await?;
    assert_eq!(reconcile(&stack, "0s").await?, clean);
    sqlx::query("UPDATE identity.person SET active = false WHERE role = 'nurse'").execute(&mut database).await?;
    let report_id = submitted(&client, &token, PATIENT).await?;
    let expected = format!("1 reports without notifications, 0 stuck notifications\nreport {report_id}\n");
    assert_eq!(reconcile(&stack, "0s").await?, (expected, Some(1)));
    stack.stop().await?;
    Ok(())
}
