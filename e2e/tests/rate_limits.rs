//! Rate limits cannot be bypassed, and a flood does not lock out other clients.

mod flood;

use std::net::Ipv4Addr;

use e2e::{DEADLINE, NEIGHBOUR, NURSE, PATIENT, problem};
use futures_util::future::try_join_all;
use serde_json::json;
use testkit::client::{Client, Response, Session};
use testkit::stack::{Builder, Service, Stack};

const WRONG: &str = "975310";

/// Checks that an answer is a 429. Returns its `Retry-After` in seconds.
fn wait_of(answer: &Response) -> anyhow::Result<u64> {
    problem(answer, 429, "throttled")?;
    Ok(answer.header("retry-after").unwrap_or_default().parse()?)
}

/// A stack whose gateway has these settings.
fn gateway(settings: &[(&str, &str)]) -> Builder {
    settings
        .iter()
        .fold(Stack::builder(), |builder, (name, value)| builder.env(Service::Gateway, &format!("EPRO_{name}"), *value))
}

/// Five login attempts from one address, and ten from all addresses together.
const FEW_LOGINS: [(&str, &str); 4] = [
    ("RATE_LIMITS__ADDRESS__LOGINS__PER_MINUTE", "1"),
    ("RATE_LIMITS__ADDRESS__LOGINS__BURST", "5"),
    ("RATE_LIMITS__ALL_LOGINS__PER_SECOND", "1"),
    ("RATE_LIMITS__ALL_LOGINS__BURST", "10"),
];

/// [`FEW_LOGINS`] with trusted proxies.
fn behind_proxies(trusted: &str) -> Builder {
    let proxies = [("PROXIES__HEADER", "x-forwarded-for"), ("PROXIES__TRUSTED", trusted)];
    gateway(&[&FEW_LOGINS[..], &proxies].concat())
}

/// Tries 40 logins with these headers. Returns how many attempts were not throttled.
async fn flood(client: &Client, headers: impl Fn(usize) -> Vec<(&'static str, String)>) -> anyhow::Result<usize> {
    let guesses = (0..40).map(|number| {
        let headers = headers(number);
        async move {
            let body = json!({"login": format!("guess-{number}"), "pin": WRONG}).to_string();
            let mut all = vec![("content-type", "application/json")];
            all.extend(headers.iter().map(|(name, value)| (*name, value.as_str())));
            client.raw("POST", "/v1/sessions", &all, body).await
        }
    });
    let answers = try_join_all(guesses).await?;
    Ok(answers.iter().filter(|answer| answer.status != 429).count())
}

/// Logs in with these headers.
async fn log_in(client: &Client, headers: &[(&str, &str)]) -> anyhow::Result<Response> {
    let body = json!({"login": PATIENT.login, "pin": PATIENT.pin}).to_string();
    client.raw("POST", "/v1/sessions", &[&[("content-type", "application/json")], headers].concat(), body).await
}

#[tokio::test]
async fn a_right_pin_logs_in_during_a_flood_from_another_address() -> anyhow::Result<()> {
    let stack = gateway(&FEW_LOGINS).start().await?;
    let client = stack.client();
    assert_eq!(flood(&client, |_| vec![]).await?, 5);
    let other = Client::from_address(stack.url(Service::Gateway), Ipv4Addr::new(127, 0, 0, 2).into())?;
    other.login(PATIENT.login, PATIENT.pin).await?;
    problem(&log_in(&client, &[]).await?, 429, "throttled")?;
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn nobody_gets_more_by_a_header_that_no_trusted_proxy_has_sent() -> anyhow::Result<()> {
    let spoofed =
        |number| vec![("x-forwarded-for", format!("192.0.2.{number}")), ("forwarded", format!("for=192.0.2.{number}"))];
    let stack = gateway(&FEW_LOGINS).start().await?;
    assert_eq!(flood(&stack.client(), spoofed).await?, 5);
    stack.stop().await?;
    let stack = behind_proxies("10.0.0.0/8").start().await?;
    assert_eq!(flood(&stack.client(), spoofed).await?, 5);
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn behind_a_trusted_proxy_each_client_is_counted_by_its_own_address() -> anyhow::Result<()> {
    let stack = behind_proxies("127.0.0.1, 10.0.0.0/8").start().await?;
    let client = stack.client();
    // The first entry is what the client itself sent. The others are from the proxies.
    let flooded =
        flood(&client, |number| vec![("x-forwarded-for", format!("192.0.2.{number}, 198.51.100.1, 10.0.0.9"))]);
    assert_eq!(flooded.await?, 5);
    log_in(&client, &[("x-forwarded-for", "198.51.100.2")]).await?.expect_status(200)?;
    problem(&log_in(&client, &[("x-forwarded-for", "198.51.100.1")]).await?, 429, "throttled")?;
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_refresh_gives_a_session_no_new_budget() -> anyhow::Result<()> {
    let stack = gateway(&[("RATE_LIMITS__ACCESS_TOKEN__PER_SECOND", "1"), ("RATE_LIMITS__ACCESS_TOKEN__BURST", "5")])
        .start()
        .await?;
    let client = stack.client();
    let mut sessions = vec![client.open_session(PATIENT.login, PATIENT.pin).await?];
    for _ in 0..5 {
        let refreshed = client.refresh(&sessions[sessions.len() - 1].refresh).await?.expect_status(200)?;
        sessions.push(Session::of(&refreshed)?);
    }
    let tokens = sessions.iter().flat_map(|session| [&session.access; 10]);
    let answers = try_join_all(tokens.map(|token| client.get("/v1/me/assignments", Some(token)))).await?;
    let answered = answers.iter().filter(|answer| answer.status == 200).count();
    // A few more than the burst, if it took a few seconds.
    assert!((5..20).contains(&answered), "{answered} of 60");
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_session_is_refreshed_only_so_often_although_each_token_is_another_one() -> anyhow::Result<()> {
    let stack = gateway(&[("RATE_LIMITS__REFRESH_TOKEN__PER_MINUTE", "1"), ("RATE_LIMITS__REFRESH_TOKEN__BURST", "3")])
        .start()
        .await?;
    let client = stack.client();
    let mut session = client.open_session(PATIENT.login, PATIENT.pin).await?;
    for _ in 0..3 {
        session = Session::of(&client.refresh(&session.refresh).await?.expect_status(200)?)?;
    }
    problem(&client.refresh(&session.refresh).await?, 429, "throttled")?;
    let other = client.open_session(PATIENT.login, PATIENT.pin).await?;
    client.refresh(&other.refresh).await?.expect_status(200)?;
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_person_has_one_budget_in_however_many_sessions() -> anyhow::Result<()> {
    let stack =
        gateway(&[("RATE_LIMITS__PERSON__PER_SECOND", "1"), ("RATE_LIMITS__PERSON__BURST", "5")]).start().await?;
    let client = stack.client();
    let tokens = try_join_all((0..4).map(|_| client.login(PATIENT.login, PATIENT.pin))).await?;
    for token in &tokens {
        client.get("/v1/me/assignments", Some(token)).await?.expect_status(200)?;
    }
    let requests = tokens.iter().flat_map(|token| [token; 10]);
    let answers = try_join_all(requests.map(|token| client.get("/v1/me/assignments", Some(token)))).await?;
    let answered = answers.iter().filter(|answer| answer.status == 200).count();
    assert!((1..20).contains(&answered), "{answered} of 40");
    for answer in answers.iter().filter(|answer| answer.status != 200) {
        problem(answer, 429, "throttled")?;
        let trace_id = answer.trace_id().unwrap_or_default();
        let trace = stack.otlp.wait_for(&trace_id, DEADLINE, |trace| !trace.spans.is_empty()).await?;
        assert_eq!(trace.spans.len(), 1, "nobody is asked who that is: {trace}");
    }
    let neighbour = client.login(NEIGHBOUR.login, NEIGHBOUR.pin).await?;
    client.get("/v1/me/assignments", Some(&neighbour)).await?.expect_status(200)?;
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn made_up_tokens_are_counted_by_their_address_and_good_ones_are_not() -> anyhow::Result<()> {
    let stack = gateway(&[
        ("RATE_LIMITS__ADDRESS__STRANGERS__PER_MINUTE", "1"),
        ("RATE_LIMITS__ADDRESS__STRANGERS__BURST", "8"),
    ])
    .start()
    .await?;
    let client = stack.client();
    let token = client.login(NURSE.login, NURSE.pin).await?;
    let questionnaire = "/v1/questionnaires/phq-9/versions/1.0";
    client.get(questionnaire, Some(&token)).await?.expect_status(200)?;
    let guesses: Vec<_> = (0..40).map(|number| testkit::client::Token(format!("guess-{number}"))).collect();
    let answers = try_join_all(guesses.iter().map(|guess| client.get(questionnaire, Some(guess)))).await?;
    assert_eq!(answers.iter().filter(|answer| answer.status == 401).count(), 7);
    for _ in 0..10 {
        client.get(questionnaire, Some(&token)).await?.expect_status(200)?;
    }
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_token_whose_session_has_ended_is_counted_by_its_address_again() -> anyhow::Result<()> {
    let stack = gateway(&[
        ("RATE_LIMITS__ADDRESS__STRANGERS__PER_MINUTE", "1"),
        ("RATE_LIMITS__ADDRESS__STRANGERS__BURST", "4"),
    ])
    .start()
    .await?;
    let client = stack.client();
    let [logged_out, revoked] =
        [client.login(NURSE.login, NURSE.pin).await?, client.login(NURSE.login, NURSE.pin).await?];
    let questionnaire = "/v1/questionnaires/phq-9/versions/1.0";
    let ask = async |token| anyhow::Ok(client.get(questionnaire, Some(token)).await?.status);
    assert_eq!([ask(&logged_out).await?, ask(&revoked).await?], [200, 200], "both are known now");
    client.log_out(&logged_out).await?.expect_status(204)?;
    sqlx::query("UPDATE identity.session SET revoked_at = now() WHERE revoked_at IS NULL")
        .execute(&mut stack.database.connect().await?)
        .await?;
    // Two of the address's four attempts are left. The first request with the revoked token uses one.
    let mut answers = vec![ask(&revoked).await?];
    for token in [&revoked, &logged_out, &revoked, &logged_out] {
        answers.push(ask(token).await?);
    }
    assert_eq!(answers, [401, 401, 401, 429, 429]);
    stack.stop().await?;
    Ok(())
}
