//! Notifications that could not be delivered are counted, and the nurses of the site can list them.

use std::collections::BTreeSet;

use e2e::setup::deactivate;
use e2e::{DEADLINE, NURSE, NURSES_PER_SITE, OTHER_NURSE, PATIENT, problem, seen, submitted};
use migrations::demo::NURSES;
use serde_json::{Value, json};
use testkit::client::{Client, Token};
use testkit::stack::{Service, Stack};
use testkit::{poll, sms};

use super::{eager, wait_for_count};

fn path(query: &str) -> String {
    format!("/v1/sites/{}/notifications{query}", PATIENT.site)
}

async fn listed(client: &Client, nurse: &Token, query: &str) -> anyhow::Result<Vec<Value>> {
    Ok(seen(client, nurse, &path(query)).await?["notifications"].as_array().cloned().unwrap_or_default())
}

#[tokio::test]
async fn a_nurse_sees_what_her_site_was_not_told_and_why() -> anyhow::Result<()> {
    let stack = Stack::start().await?;
    stack.sms.respond_to(NURSE.phone, sms::Behaviour::Refuse(400));
    let client = stack.client();
    let patient = client.login(PATIENT.login, PATIENT.pin).await?;
    let nurse = client.login(NURSES[1].login, NURSES[1].pin).await?;
    let stranger = client.login(OTHER_NURSE.login, OTHER_NURSE.pin).await?;
    assert_eq!(listed(&client, &nurse, "").await?, Vec::<Value>::new());
    let report_id = submitted(&client, &patient, PATIENT).await?;
    wait_for_count(&stack, "sms", "dead", 1).await?;

    let found = listed(&client, &nurse, "").await?;
    let [notification] = &found[..] else { panic!("{found:?}") };
    let mut shown = notification.clone();
    for random in ["notification_id", "created_at", "since"] {
        assert!(shown[random].as_str().is_some_and(|text| !text.is_empty()), "{random}: {notification}");
        shown[random].take();
    }
    let expected = json!({
        "notification_id": null, "report_id": report_id, "recipient_id": NURSE.id, "channel": "sms", "state": "dead",
        "urgent": false, "attempts": 1, "last_outcome": "rejected", "created_at": null, "since": null,
    });
    assert_eq!(shown, expected);
    assert_eq!(listed(&client, &nurse, "?state=dead").await?, found);
    assert_eq!(listed(&client, &nurse, "?state=cancelled").await?, Vec::<Value>::new());
    problem(&client.get(&path(""), Some(&stranger)).await?, 404, "site-not-found")?;
    problem(&client.get(&path(""), Some(&patient)).await?, 403, "wrong-role")?;
    problem(&client.get(&path("?state=pending"), Some(&nurse)).await?, 400, "malformed-parameter")?;
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn what_a_site_was_not_told_comes_in_pages() -> anyhow::Result<()> {
    const REPORTS: usize = 2;
    const DEAD: usize = REPORTS * NURSES_PER_SITE;
    let mut stack = eager().start().await?;
    stack.sms.respond_with(sms::Behaviour::Refuse(400));
    let client = stack.client();
    let patient = client.login(PATIENT.login, PATIENT.pin).await?;
    let nurse = client.login(NURSE.login, NURSE.pin).await?;
    for _ in 0..REPORTS {
        submitted(&client, &patient, PATIENT).await?;
    }
    wait_for_count(&stack, "sms", "dead", DEAD).await?;

    let (mut times, mut ids, mut cursor) = (Vec::new(), BTreeSet::new(), String::new());
    for page in 1..=DEAD {
        let answer = seen(&client, &nurse, &path(&format!("?limit=1{cursor}"))).await?;
        assert_eq!(answer["notifications"].as_array().map(Vec::len), Some(1), "{answer}");
        let notification = &answer["notifications"][0];
        times.push(notification["created_at"].to_string());
        ids.insert(notification["notification_id"].to_string());
        assert_eq!(answer["next_cursor"].is_string(), page < DEAD, "{answer}");
        cursor = format!("&cursor={}", answer["next_cursor"].as_str().unwrap_or_default());
    }
    assert_eq!(ids.len(), DEAD, "each once");
    assert!(times.is_sorted_by(|a, b| a >= b), "newest first: {times:?}");
    let bad = client.get(&path("?cursor=abc"), Some(&nurse)).await?;
    problem(&bad, 400, "malformed-cursor")?;

    // A nurse who has left before the delivery gets no message.
    stack.kill(Service::NotifySvc).await?;
    submitted(&client, &patient, PATIENT).await?;
    deactivate(&stack, NURSES[1].id).await?;
    stack.restart(Service::NotifySvc).await?;
    wait_for_count(&stack, "%", "cancelled", 2).await?;
    let cancelled = listed(&client, &nurse, "?state=cancelled").await?;
    let of = |key: &str| cancelled.iter().map(|entry| entry[key].clone()).collect::<Vec<_>>();
    assert_eq!(of("state"), vec![json!("cancelled"); 2]);
    assert_eq!(of("last_outcome"), vec![json!("no_recipient"); 2]);
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_dead_notification_is_counted_by_its_channel_and_why() -> anyhow::Result<()> {
    let stack = Stack::builder()
        .env(Service::DataSvc, "EPRO_TELEMETRY__METRICS", "otlp")
        .env(Service::DataSvc, "OTEL_METRIC_EXPORT_INTERVAL", "200")
        .start()
        .await?;
    stack.sms.respond_to(NURSE.phone, sms::Behaviour::Refuse(400));
    let client = stack.client();
    let patient = client.login(PATIENT.login, PATIENT.pin).await?;
    submitted(&client, &patient, PATIENT).await?;

    let rejected = [("epro.delivery.channel", "sms"), ("epro.delivery.outcome", "rejected")];
    let count = async || Ok(stack.otlp.sum("epro.notification.dead", &rejected));
    assert_eq!(poll::until(DEADLINE, count, |count| *count > 0).await?, 1);
    assert_eq!(stack.otlp.sum("epro.notification.dead", &[]), 1, "and nothing else");
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_nurse_has_a_dead_notification_sent_again() -> anyhow::Result<()> {
    // A notification that is sent again starts with the full retry time.
    let stack = eager().env(Service::NotifySvc, "EPRO_DELIVERY__GIVE_UP_AFTER", "10s").start().await?;
    stack.sms.respond_to(NURSE.phone, sms::Behaviour::Refuse(400));
    let client = stack.client();
    let patient = client.login(PATIENT.login, PATIENT.pin).await?;
    let nurse = client.login(NURSES[1].login, NURSES[1].pin).await?;
    let stranger = client.login(OTHER_NURSE.login, OTHER_NURSE.pin).await?;
    submitted(&client, &patient, PATIENT).await?;
    wait_for_count(&stack, "sms", "dead", 1).await?;
    sqlx::query("UPDATE clinical.notification SET created_at = now() - interval '1 hour' WHERE state = 'dead'")
        .execute(&mut stack.database.connect().await?)
        .await?;
    let found = listed(&client, &nurse, "").await?;
    let path = format!("/v1/notifications/{}/retries", found[0]["notification_id"].as_str().unwrap_or_default());

    problem(&client.post_as(&stranger, &path, &json!({})).await?, 404, "notification-not-found")?;
    problem(&client.post_as(&patient, &path, &json!({})).await?, 403, "wrong-role")?;
    stack.sms.respond_to(NURSE.phone, sms::Behaviour::Accept);
    stack.sms.respond_next([sms::Behaviour::Refuse(503)]);
    client.post_as(&nurse, &path, &json!({})).await?.expect_status(202)?;
    wait_for_count(&stack, "sms", "delivered", NURSES_PER_SITE).await?;
    problem(&client.post_as(&nurse, &path, &json!({})).await?, 409, "nothing-to-resend")?;
    assert_eq!(listed(&client, &nurse, "").await?, Vec::<Value>::new());
    stack.stop().await?;
    Ok(())
}
