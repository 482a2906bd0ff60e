//! What nurses see of attacks on logins and sessions.

use e2e::{DEADLINE, NURSE, OTHER_NURSE, PATIENT, problem, seen};
use migrations::demo::SITES;
use serde_json::{Value, json};
use testkit::client::Client;
use testkit::poll;
use testkit::stack::{Builder, Service, Stack};

/// A stack that locks a login after one wrong PIN.
fn strict() -> Builder {
    Stack::builder().env(Service::UserSvc, "EPRO_SESSIONS__LOCKOUT__FAILURES", "1").env(
        Service::UserSvc,
        "EPRO_SESSIONS__FAILED_LOGIN_TAKES",
        "0s",
    )
}

/// Locks a login. Returns the trace id of the request that did it.
async fn lock(client: &Client, login: &str) -> anyhow::Result<Option<String>> {
    let refused = client.post("/v1/sessions", &json!({"login": login, "pin": "975310"})).await?;
    problem(&refused, 401, "wrong-credentials")?;
    Ok(refused.trace_id())
}

/// Somebody uses an old refresh token again.
async fn replay(stack: &Stack) -> anyhow::Result<()> {
    let client = stack.client();
    let session = client.open_session(PATIENT.login, PATIENT.pin).await?;
    client.refresh(&session.refresh).await?.expect_status(200)?;
    sqlx::query("UPDATE identity.refresh_token SET used_at = used_at - interval '1 hour'")
        .execute(&mut stack.database.connect().await?)
        .await?;
    problem(&client.refresh(&session.refresh).await?, 401, "invalid-refresh-token")?;
    Ok(())
}

fn path(site: usize, query: &str) -> String {
    format!("/v1/sites/{}/security-events{query}", SITES[site].id)
}

#[tokio::test]
async fn a_nurse_sees_locks_and_replays_of_her_site_and_of_no_other() -> anyhow::Result<()> {
    let stack = strict().start().await?;
    let client = stack.client();
    let nurse = client.login(NURSE.login, NURSE.pin).await?;
    let other = client.login(OTHER_NURSE.login, OTHER_NURSE.pin).await?;
    replay(&stack).await?;
    let trace_id = lock(&client, PATIENT.login).await?;
    lock(&client, OTHER_NURSE.login).await?;

    let events = seen(&client, &nurse, &path(0, "")).await?;
    let kinds: Vec<_> = events["events"].as_array().into_iter().flatten().map(|event| &event["kind"]).collect();
    assert_eq!(kinds, ["login_locked", "refresh_token_replayed"], "newest first");
    let lock = &events["events"][0];
    let shown = [&lock["person_id"], &lock["login"], &lock["role"], &lock["trace_id"], &lock["locked"]];
    assert_eq!(
        shown.map(Clone::clone),
        [json!(PATIENT.id), json!(PATIENT.login), json!("patient"), json!(trace_id), json!(true)]
    );

    // A nurse also sees events of her colleagues.
    let elsewhere = seen(&client, &other, &path(1, "")).await?;
    assert_eq!(elsewhere["events"].as_array().map(Vec::len), Some(1));
    assert_eq!(elsewhere["events"][0]["role"], "nurse");
    problem(&client.get(&path(1, ""), Some(&nurse)).await?, 404, "site-not-found")?;

    client.free_login(&nurse, SITES[0].id, PATIENT.id).await?.expect_status(204)?;
    assert_eq!(seen(&client, &nurse, &path(0, "")).await?["events"][0]["locked"], false);
    let patient = client.login(PATIENT.login, PATIENT.pin).await?;
    problem(&client.get(&path(0, ""), Some(&patient)).await?, 403, "wrong-role")?;
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn the_events_come_in_pages() -> anyhow::Result<()> {
    let stack = strict().start().await?;
    let client = stack.client();
    let nurse = client.login(NURSE.login, NURSE.pin).await?;
    for _ in 0..3 {
        lock(&client, PATIENT.login).await?;
        client.free_login(&nurse, SITES[0].id, PATIENT.id).await?.expect_status(204)?;
    }
    let all = seen(&client, &nurse, &path(0, "")).await?;
    let mut read = Vec::new();
    let mut query = "?limit=2".to_owned();
    let page = loop {
        let page = seen(&client, &nurse, &path(0, &query)).await?;
        read.extend(page["events"].as_array().into_iter().flatten().cloned());
        match page["next_cursor"].as_str() {
            Some(cursor) => query = format!("?limit=2&cursor={cursor}"),
            None => break page,
        }
    };
    assert_eq!(page["events"].as_array().map(Vec::len), Some(1));
    assert_eq!(Value::from(read), all["events"]);
    problem(&client.get(&path(0, "?limit=0"), Some(&nurse)).await?, 400, "malformed-parameter")?;
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn locks_and_replays_are_logged_and_counted_without_a_person() -> anyhow::Result<()> {
    let stack = strict()
        .env_all("EPRO_TELEMETRY__METRICS", "otlp")
        .env_all("OTEL_METRIC_EXPORT_INTERVAL", "200")
        .env(Service::UserSvc, "EPRO_SESSIONS__LOCKOUT__MOST_FAILURES", "2")
        .start()
        .await?;
    let client = stack.client();
    replay(&stack).await?;
    let mut traces = Vec::new();
    for _ in 0..2 {
        traces.push(lock(&client, PATIENT.login).await?.unwrap_or_default());
        sqlx::query("UPDATE identity.credential SET locked_until = now()")
            .execute(&mut stack.database.connect().await?)
            .await?;
    }
    for name in ["epro.login.locks", "epro.login.blocks", "epro.session.replays"] {
        let count = async || Ok(stack.otlp.sum(name, &[]));
        assert_eq!(poll::until(DEADLINE, count, |count| *count == 1).await?, 1, "{name}");
    }
    for trace_id in traces {
        let is_warning = |line: &Value| line["trace_id"] == trace_id.as_str() && line["level"] == "WARN";
        let line = stack.wait_for_log(Service::UserSvc, DEADLINE, is_warning).await?.to_string();
        assert!(!line.contains(PATIENT.login) && !line.contains(&PATIENT.id.to_string()), "{line}");
    }
    stack.stop().await?;
    Ok(())
}
