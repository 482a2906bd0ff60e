//! Limits that cannot be walked around, and floods that keep nobody else out.

use std::net::Ipv4Addr;

use e2e::{DEADLINE, NEIGHBOUR, NURSE, PATIENT, problem, rows, submitted};
use futures_util::future::try_join_all;
use serde_json::json;
use testkit::client::{Client, Response, Session, report};
use testkit::poll;
use testkit::stack::{Builder, Service, Stack};

const WRONG: &str = "975310";

/// Checks that an answer is a 429 and gives its Retry-After, in seconds.
fn wait_of(answer: &Response) -> anyhow::Result<u64> {
    problem(answer, 429, "throttled")?;
    Ok(answer.header("retry-after").unwrap_or_default().parse()?)
}

/// A gateway with these settings of its own.
fn gateway(settings: &[(&str, &str)]) -> Builder {
    settings
        .iter()
        .fold(Stack::builder(), |builder, (name, value)| builder.env(Service::Gateway, &format!("EPRO_{name}"), *value))
}

/// Five attempts to log in from one address, and ten from all together.
const FEW_LOGINS: [(&str, &str); 4] = [
    ("RATE_LIMITS__ADDRESS__LOGINS__PER_MINUTE", "1"),
    ("RATE_LIMITS__ADDRESS__LOGINS__BURST", "5"),
    ("RATE_LIMITS__ALL_LOGINS__PER_SECOND", "1"),
    ("RATE_LIMITS__ALL_LOGINS__BURST", "10"),
];

/// [`FEW_LOGINS`], and proxies that are to be believed.
fn behind_proxies(trusted: &str) -> Builder {
    let proxies = [("PROXIES__HEADER", "x-forwarded-for"), ("PROXIES__TRUSTED", trusted)];
    gateway(&[&FEW_LOGINS[..], &proxies].concat())
}

/// How many of 40 guesses at as many logins were not throttled, each sent as `headers` say.
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

/// Logs in as `headers` say.
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
    // What the client itself had sent stands before the proxies' entries.
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
    // Some more than the burst, if that took some seconds.
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
    // Two of the address's four are left; the revoked one is found out by the first request with it.
    let mut answers = vec![ask(&revoked).await?];
    for token in [&revoked, &logged_out, &revoked, &logged_out] {
        answers.push(ask(token).await?);
    }
    assert_eq!(answers, [401, 401, 401, 429, 429]);
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn guessing_pins_is_throttled_for_that_login_and_for_a_time() -> anyhow::Result<()> {
    let stack = gateway(&[("RATE_LIMITS__LOGIN__PER_MINUTE", "6"), ("RATE_LIMITS__LOGIN__BURST", "2")]).start().await?;
    let client = stack.client();
    let guess = json!({"login": PATIENT.login, "pin": WRONG});
    let answers = try_join_all((0..8).map(|_| client.post("/v1/sessions", &guess))).await?;
    let (asked, refused): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status != 429);
    assert_eq!(asked.len(), 2, "as many as a burst has");
    for answer in asked {
        problem(answer, 401, "wrong-credentials")?;
    }
    for answer in refused {
        // One attempt in ten seconds, counted from the latest: a request that read the clock a moment before
        // another that was let through is told that moment more, and whole seconds are rounded up.
        let wait = wait_of(answer)?;
        assert!((1..=11).contains(&wait), "wait for {wait} s");
    }
    client.login(NURSE.login, NURSE.pin).await?;

    let right = json!({"login": PATIENT.login, "pin": PATIENT.pin});
    let ask = async || client.post("/v1/sessions", &right).await;
    poll::until(DEADLINE, ask, |answer| answer.status != 429).await?.expect_status(200)?;
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_flood_of_submissions_is_throttled_and_a_retry_gets_through() -> anyhow::Result<()> {
    let stack = gateway(&[("RATE_LIMITS__ACCESS_TOKEN__PER_SECOND", "1"), ("RATE_LIMITS__ACCESS_TOKEN__BURST", "3")])
        .start()
        .await?;
    let client = stack.client();
    let token = client.login(PATIENT.login, PATIENT.pin).await?;
    let body = report(PATIENT.assignment);
    let keys: Vec<_> = (0..40).map(|number| format!("flood-{number}")).collect();
    let answers = try_join_all(keys.iter().map(|key| client.submit(&token, key, &body))).await?;
    let refused: Vec<_> = keys.iter().zip(&answers).filter(|(_, answer)| answer.status != 201).collect();
    for (_, answer) in &refused {
        assert_eq!(wait_of(answer)?, 1);
    }
    let stored = keys.len() - refused.len();
    assert!((3..keys.len()).contains(&stored), "{stored} were stored");
    assert_eq!(rows(&stack).await?.reports, i64::try_from(stored)?);

    // Another session has a budget of its own.
    let other = client.login(PATIENT.login, PATIENT.pin).await?;
    submitted(&client, &other, PATIENT).await?;
    let ask = async || client.submit(&token, refused[0].0, &body).await;
    poll::until(DEADLINE, ask, |answer| answer.status != 429).await?.expect_status(201)?;
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_token_that_is_no_good_is_throttled_too_also_at_the_logout() -> anyhow::Result<()> {
    let stack = gateway(&[("RATE_LIMITS__ACCESS_TOKEN__PER_SECOND", "1"), ("RATE_LIMITS__ACCESS_TOKEN__BURST", "3")])
        .start()
        .await?;
    let client = stack.client();
    for (method, path) in [("DELETE", "/v1/sessions/current"), ("GET", "/v1/me/assignments")] {
        let headers = [("authorization", format!("Bearer nonsense-for-{method}"))];
        let headers = headers.each_ref().map(|(name, value)| (*name, value.as_str()));
        let answers = try_join_all((0..40).map(|_| client.raw(method, path, &headers, ""))).await?;
        let (asked, refused): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status != 429);
        assert!((3..40).contains(&asked.len()), "{} of 40 were asked for: {method}", asked.len());
        for answer in asked {
            problem(answer, 401, "invalid-token")?;
        }
        for answer in refused {
            assert_eq!(wait_of(answer)?, 1);
        }
    }
    let token = client.login(PATIENT.login, PATIENT.pin).await?;
    client.log_out(&token).await?.expect_status(204)?;
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_flood_of_logins_is_throttled_whatever_the_login() -> anyhow::Result<()> {
    let stack = gateway(&[("RATE_LIMITS__ALL_LOGINS__PER_SECOND", "1"), ("RATE_LIMITS__ALL_LOGINS__BURST", "2")])
        .start()
        .await?;
    let client = stack.client();
    let guesses: Vec<_> = (0..20).map(|number| json!({"login": format!("guess-{number}"), "pin": WRONG})).collect();
    let answers = try_join_all(guesses.iter().map(|guess| client.post("/v1/sessions", guess))).await?;
    let refused: Vec<_> = answers.iter().filter(|answer| answer.status == 429).collect();
    assert!((1..=18).contains(&refused.len()), "{} of 20 were refused", refused.len());
    for answer in refused {
        assert_eq!(wait_of(answer)?, 1);
    }

    let right = json!({"login": PATIENT.login, "pin": PATIENT.pin});
    let ask = async || client.post("/v1/sessions", &right).await;
    poll::until(DEADLINE, ask, |answer| answer.status != 429).await?.expect_status(200)?;
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_flood_of_activations_is_throttled_and_keeps_nobody_from_refreshing() -> anyhow::Result<()> {
    let stack =
        gateway(&[("RATE_LIMITS__ALL_ACTIVATIONS__PER_SECOND", "1"), ("RATE_LIMITS__ALL_ACTIVATIONS__BURST", "4")])
            .start()
            .await?;
    let client = stack.client();
    let malformed = json!({"activation_code": "guess"});
    for answer in try_join_all((0..10).map(|_| client.post("/v1/activations", &malformed))).await? {
        problem(&answer, 422, "invalid-body")?;
    }
    let guess = json!({"activation_code": "guess", "pin": WRONG});
    let answers = try_join_all((0..40).map(|_| client.post("/v1/activations", &guess))).await?;
    let refused: Vec<_> = answers.iter().filter(|answer| answer.status == 429).collect();
    assert!((1..=36).contains(&refused.len()), "{} of 40 were refused", refused.len());
    for answer in refused {
        assert_eq!(wait_of(answer)?, 1);
    }

    let session = client.open_session(PATIENT.login, PATIENT.pin).await?;
    client.refresh(&session.refresh).await?.expect_status(200)?;
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_flood_of_refreshes_with_one_token_keeps_nobody_else_from_refreshing() -> anyhow::Result<()> {
    let stack = gateway(&[("RATE_LIMITS__REFRESH_TOKEN__PER_MINUTE", "6"), ("RATE_LIMITS__REFRESH_TOKEN__BURST", "2")])
        .start()
        .await?;
    let client = stack.client();
    let session = client.open_session(PATIENT.login, PATIENT.pin).await?;
    let answers = try_join_all((0..20).map(|_| client.refresh("guess"))).await?;
    let (asked, refused): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status != 429);
    assert_eq!(asked.len(), 2, "as many as a burst has");
    for answer in asked {
        problem(answer, 401, "invalid-refresh-token")?;
    }
    for answer in refused {
        assert!((1..=10).contains(&wait_of(answer)?), "one refresh in ten seconds");
    }
    client.refresh(&session.refresh).await?.expect_status(200)?;
    stack.stop().await?;
    Ok(())
}
