//! Logins and sessions.

mod activation;
mod audit_trail;
mod forged;
mod housekeeping;
mod lockout;
mod refresh;
mod rotation;
mod security_events;

use e2e::setup::deactivate;
use e2e::{DEADLINE, NURSE, PATIENT, problem};
use migrations::demo::STUDY;
use serde_json::json;
use testkit::client::{Client, Token, report};
use testkit::poll::until;
use testkit::stack::{Service, Stack};

/// A resource for everybody who is logged in, and for no one else.
const ANYTHING: &str = "/v1/questionnaires/daily-symptom-diary/versions/1.0";

/// Whether a token is accepted.
async fn is_good(client: &Client, token: &Token) -> anyhow::Result<bool> {
    let answer = client.get(ANYTHING, Some(token)).await?;
    if answer.status == 200 {
        return Ok(true);
    }
    problem(&answer, 401, "invalid-token")?;
    Ok(false)
}

#[tokio::test]
async fn a_login_gives_tokens_with_their_times() -> anyhow::Result<()> {
    let stack = Stack::start().await?;
    let client = stack.client();
    let credentials = json!({"login": PATIENT.login, "pin": PATIENT.pin});
    let answer = client.post("/v1/sessions", &credentials).await?.expect_status(200)?;
    let body = answer.json();
    assert_eq!(body["token_type"], "Bearer");
    // 15 minutes and 30 days. A login takes less than a second, so the values are not rounded down.
    assert_eq!((&body["expires_in"], &body["refresh_expires_in"]), (&json!(900), &json!(2_592_000)));
    assert!(is_good(&client, &Token(answer.text("access_token")?)).await?);
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_token_ends_with_its_time() -> anyhow::Result<()> {
    let stack = Stack::builder().env(Service::UserSvc, "EPRO_SESSIONS__ACCESS_TOKEN_LIFETIME", "5s").start().await?;
    let client = stack.client();
    let session = client.open_session(PATIENT.login, PATIENT.pin).await?;
    client.submit_new(&session.access, PATIENT.assignment).await?.expect_status(201)?;
    let good = until(DEADLINE, async || is_good(&client, &session.access).await, |good| !good).await?;
    assert!(!good, "the token never ends");
    let refused = client.submit_new(&session.access, PATIENT.assignment).await?;
    problem(&refused, 401, "invalid-token")?;
    client.refresh(&session.refresh).await?.expect_status(200)?;
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn no_token_outlives_its_session() -> anyhow::Result<()> {
    let stack = Stack::builder().env(Service::UserSvc, "EPRO_SESSIONS__LIFETIME", "5s").start().await?;
    let client = stack.client();
    let credentials = json!({"login": PATIENT.login, "pin": PATIENT.pin});
    let body = client.post("/v1/sessions", &credentials).await?.expect_status(200)?.json();
    assert_eq!((&body["expires_in"], &body["refresh_expires_in"]), (&json!(5), &json!(5)));
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn without_a_token_nobody_is_asking() -> anyhow::Result<()> {
    let stack = Stack::start().await?;
    let client = stack.client();
    let headers = [("content-type", "application/json"), ("idempotency-key", "key")];
    let answer = client.raw("POST", "/v1/reports", &headers, report(PATIENT.assignment).to_string()).await?;
    problem(&answer, 401, "unauthenticated")?;
    problem(&client.get(ANYTHING, None).await?, 401, "unauthenticated")?;
    problem(&client.raw("DELETE", "/v1/sessions/current", &[], "").await?, 401, "unauthenticated")?;
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn after_a_logout_no_token_of_the_session_is_good() -> anyhow::Result<()> {
    let stack = Stack::start().await?;
    let client = stack.client();
    let session = client.open_session(PATIENT.login, PATIENT.pin).await?;
    let other = client.open_session(PATIENT.login, PATIENT.pin).await?;
    let ended = client.log_out(&session.access).await?.expect_status(204)?;
    assert_eq!(ended.body, b"");
    assert!(!is_good(&client, &session.access).await?);
    problem(&client.refresh(&session.refresh).await?, 401, "invalid-refresh-token")?;
    problem(&client.log_out(&session.access).await?, 401, "invalid-token")?;
    assert!(is_good(&client, &other.access).await?, "another session has ended too");
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_nurse_cannot_submit() -> anyhow::Result<()> {
    let stack = Stack::start().await?;
    let client = stack.client();
    let token = client.login(NURSE.login, NURSE.pin).await?;
    let refused = client.submit_new(&token, PATIENT.assignment).await?;
    problem(&refused, 403, "wrong-role")?;
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_withdrawn_patient_and_a_nurse_who_has_left_get_nothing_any_more() -> anyhow::Result<()> {
    let stack = Stack::start().await?;
    let client = stack.client();
    let report = "/v1/reports/5d3a1c6e-0f0a-4c55-9d0e-7a1b2c3d4e00";
    let study = format!("/v1/studies/{STUDY}");
    let people = [
        (PATIENT.id, PATIENT.login, PATIENT.pin, ["/v1/me/assignments", "/v1/reports", report]),
        (NURSE.id, NURSE.login, NURSE.pin, [&study, ANYTHING, report]),
    ];
    for (person_id, login, pin, paths) in people {
        let session = client.open_session(login, pin).await?;
        deactivate(&stack, person_id).await?;
        for path in paths {
            problem(&client.get(path, Some(&session.access)).await?, 403, "inactive")?;
        }
        problem(&client.submit_new(&session.access, PATIENT.assignment).await?, 403, "inactive")?;
        problem(&client.refresh(&session.refresh).await?, 403, "inactive")?;
        let login_again = client.post("/v1/sessions", &json!({"login": login, "pin": pin})).await?;
        problem(&login_again, 403, "inactive")?;
        client.log_out(&session.access).await?.expect_status(204)?;
    }
    stack.stop().await?;
    Ok(())
}
