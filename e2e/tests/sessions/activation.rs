//! A person chooses a PIN with an activation code.

use anyhow::ensure;
use e2e::setup::deactivate;
use e2e::{PATIENT, codes, problem};
use futures_util::future::try_join_all;
use migrations::demo::NEWCOMER;
use serde_json::json;
use testkit::client::Client;
use testkit::stack::{Service, Stack};

use super::is_good;

const PIN: &str = "864209";

/// The output for staff who issue a code.
async fn issue(stack: &Stack, arguments: &[&str]) -> anyhow::Result<String> {
    let output = stack.command(Service::UserSvc, &[&["activation", "issue"], arguments].concat()).await?;
    ensure!(output.status.success(), "{output:?}");
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

async fn is_refused(client: &Client, code: &str) -> anyhow::Result<()> {
    problem(&client.activate(code, PIN).await?, 401, "invalid-activation-code")?;
    Ok(())
}

#[tokio::test]
async fn an_activation_code_sets_the_pin_once() -> anyhow::Result<()> {
    let stack = Stack::start().await?;
    let client = stack.client();
    let activated = client.activate(NEWCOMER.activation_code, PIN).await?.expect_status(201)?;
    assert_eq!(activated.json()["login"], NEWCOMER.login);
    assert_eq!(activated.json()["trace_id"].as_str(), activated.trace_id().as_deref());
    let token = client.login(NEWCOMER.login, PIN).await?;
    client.submit_new(&token, NEWCOMER.assignment).await?.expect_status(201)?;
    is_refused(&client, NEWCOMER.activation_code).await?;
    assert!(is_good(&client, &token).await?, "a refused activation has ended a session");
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_code_is_good_however_it_is_typed() -> anyhow::Result<()> {
    let stack = Stack::start().await?;
    let client = stack.client();
    client.activate(" Welcome to the Demo\u{2013}Study", PIN).await?.expect_status(201)?;
    let code = issue(&stack, &["--login", PATIENT.login]).await?;
    client.activate(&code.to_lowercase().replace('-', ""), PIN).await?.expect_status(201)?;
    is_refused(&client, &code).await?;
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn of_codes_given_out_at_the_same_time_one_is_good() -> anyhow::Result<()> {
    let stack = Stack::start().await?;
    let client = stack.client();
    let arguments = ["--login", PATIENT.login];
    let mut good = 0;
    for code in try_join_all((0..4).map(|_| issue(&stack, &arguments))).await? {
        good += u8::from(client.activate(&code, PIN).await?.status == 201);
    }
    assert_eq!(good, 1);
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn of_many_activations_with_a_code_at_the_same_time_one_counts() -> anyhow::Result<()> {
    let stack = Stack::start().await?;
    let client = stack.client();
    let pins = ["864201", "864202", "864203", "864204"];
    let answers = try_join_all(pins.map(|pin| client.activate(NEWCOMER.activation_code, pin))).await?;
    let won: Vec<_> = pins.iter().zip(&answers).filter(|(_, answer)| answer.status == 201).collect();
    assert_eq!(won.len(), 1, "{answers:#?}");
    client.login(NEWCOMER.login, won[0].0).await?;
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_code_that_is_no_good_does_not_tell_why() -> anyhow::Result<()> {
    let stack = Stack::start().await?;
    let client = stack.client();
    let inactive = issue(&stack, &["--login", PATIENT.login]).await?;
    deactivate(&stack, PATIENT.id).await?;
    sqlx::query("UPDATE identity.activation SET expires_at = now() WHERE person_id = $1")
        .bind(NEWCOMER.id)
        .execute(&mut stack.database.connect().await?)
        .await?;
    let long = "x".repeat(60_000);
    let mut bodies = Vec::new();
    for code in [NEWCOMER.activation_code, &inactive, "unknown", "", "a\0b", &long] {
        let mut body = problem(&client.activate(code, PIN).await?, 401, "invalid-activation-code")?;
        for own in ["trace_id", "trace_url", "instance"] {
            body[own].take();
        }
        bodies.push(body);
    }
    for body in &bodies {
        assert_eq!(body, &bodies[0]);
    }
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_pin_that_is_too_simple_costs_no_code() -> anyhow::Result<()> {
    let stack = Stack::start().await?;
    let client = stack.client();
    for pin in ["000000", "123456", "121212", "112233", "98765", "abcdef", "24680\0"] {
        let refused = problem(&client.activate(NEWCOMER.activation_code, pin).await?, 422, "pin-too-simple")?;
        assert_eq!(codes(&refused), ["pin-too-simple"]);
        assert_eq!(refused["errors"][0]["pointer"], "/pin");
    }
    client.activate(NEWCOMER.activation_code, PIN).await?.expect_status(201)?;
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_new_code_replaces_the_pin_and_ends_the_sessions_of_the_old_one() -> anyhow::Result<()> {
    let stack = Stack::start().await?;
    let client = stack.client();
    let session = client.open_session(PATIENT.login, PATIENT.pin).await?;
    let code = issue(&stack, &["--login", PATIENT.login]).await?;
    assert!(is_good(&client, &session.access).await?);
    client.activate(&code, PIN).await?.expect_status(201)?;
    assert!(!is_good(&client, &session.access).await?);
    problem(&client.refresh(&session.refresh).await?, 401, "invalid-refresh-token")?;
    let old = client.post("/v1/sessions", &json!({"login": PATIENT.login, "pin": PATIENT.pin})).await?;
    problem(&old, 401, "wrong-credentials")?;
    client.login(PATIENT.login, PIN).await?;
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn staff_give_out_one_code_at_a_time_and_for_a_time() -> anyhow::Result<()> {
    let stack = Stack::start().await?;
    let client = stack.client();
    let lost = issue(&stack, &["--login", PATIENT.login]).await?;
    let found = issue(&stack, &["--login", PATIENT.login, "--valid-for", "36h"]).await?;
    let expires_in: i64 = sqlx::query_scalar(
        "SELECT extract(epoch FROM expires_at - created_at)::bigint FROM identity.activation
         WHERE person_id = $1 AND used_at IS NULL",
    )
    .bind(PATIENT.id)
    .fetch_one(&mut stack.database.connect().await?)
    .await?;
    assert_eq!(expires_in, 36 * 3600);
    is_refused(&client, &lost).await?;
    client.activate(&found, PIN).await?.expect_status(201)?;
    let nobody = stack.command(Service::UserSvc, &["activation", "issue", "--login", "nobody"]).await?;
    assert_eq!((nobody.status.code(), nobody.stdout.as_slice()), (Some(1), &b""[..]));
    stack.stop().await?;
    Ok(())
}
