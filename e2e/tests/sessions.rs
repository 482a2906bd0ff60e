//! Who is asking.

use std::time::Instant;

use e2e::{DEADLINE, NURSE, PATIENT, rows};
use serde_json::json;
use testkit::client::{Token, report};
use testkit::stack::{Service, Stack};

#[tokio::test]
async fn an_unknown_login_and_a_wrong_pin_look_the_same() -> anyhow::Result<()> {
    let stack = Stack::start().await?;
    let client = stack.client();
    let mut answers = Vec::new();
    for (login, pin) in [(PATIENT.login, "000000"), ("nobody", PATIENT.pin), ("", ""), ("a\0b", "\0")] {
        let answer = client.post("/v1/sessions", &json!({"login": login, "pin": pin})).await?.expect_status(401)?;
        let mut body = answer.json();
        assert_eq!(body["type"], "/problems/wrong-credentials");
        assert_eq!(body["trace_id"], answer.trace_id().unwrap_or_default().as_str());
        for own in ["trace_id", "instance"] {
            body[own] = json!(null);
        }
        answers.push(body);
    }
    for answer in &answers {
        assert_eq!(answer, &answers[0]);
    }
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_token_ends_with_its_time() -> anyhow::Result<()> {
    let stack = Stack::builder().env(Service::UserSvc, "EPRO_SESSIONS__LIFETIME", "5s").start().await?;
    let client = stack.client();
    let token = client.login(PATIENT.login, PATIENT.pin).await?;
    client.submit_new(&token, PATIENT.assignment).await?.expect_status(201)?;
    let path = "/v1/reports/5d3a1c6e-0f0a-4c55-9d0e-7a1b2c3d4e00";
    let start = Instant::now();
    while client.get(path, Some(&token)).await?.status != 401 {
        assert!(start.elapsed() < DEADLINE, "the token never ends");
    }
    let refused = client.submit_new(&token, PATIENT.assignment).await?.expect_status(401)?;
    assert_eq!(refused.json()["type"], "/problems/invalid-token");
    let headers = [("content-type", "application/json"), ("idempotency-key", "key")];
    let anonymous = client.raw("POST", "/v1/reports", &headers, report(PATIENT.assignment).to_string()).await?;
    assert_eq!(anonymous.expect_status(401)?.json()["type"], "/problems/unauthenticated");
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_token_that_is_not_ours_opens_nothing() -> anyhow::Result<()> {
    let stack = Stack::start().await?;
    let client = stack.client();
    let token = client.login(PATIENT.login, PATIENT.pin).await?.0;
    let (head, signature) = token.rsplit_once('.').unwrap_or_default();
    let unsigned = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0";
    let payload = head.split_once('.').map(|parts| parts.1).unwrap_or_default();
    let tampered = format!("{head}.{}", signature.chars().rev().collect::<String>());
    for forged in [
        "garbage".to_owned(),
        "a.b.c".to_owned(),
        String::new(),
        "\u{e9}".to_owned(),
        head.to_owned(),
        tampered,
        format!("{unsigned}.{payload}."),
        "x".repeat(4000),
    ] {
        let answer = client.submit(&Token(forged.clone()), "key", &report(PATIENT.assignment)).await?;
        let answer = answer.expect_status(401)?;
        assert_eq!(answer.header("www-authenticate"), Some("Bearer"), "{forged}");
        assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{forged}");
    }
    assert_eq!(rows(&stack).await?.reports, 0);
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_nurse_cannot_submit() -> anyhow::Result<()> {
    let stack = Stack::start().await?;
    let client = stack.client();
    let token = client.login(NURSE.login, NURSE.pin).await?;
    let refused = client.submit_new(&token, PATIENT.assignment).await?.expect_status(403)?;
    assert_eq!(refused.json()["type"], "/problems/wrong-role");
    stack.stop().await?;
    Ok(())
}
