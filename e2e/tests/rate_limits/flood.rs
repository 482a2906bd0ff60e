//! A flood is throttled and does not lock out other clients.

use e2e::{DEADLINE, NURSE, PATIENT, problem, rows, submitted};
use futures_util::future::try_join_all;
use serde_json::json;
use testkit::client::report;
use testkit::poll;

use super::{WRONG, gateway, wait_of};

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
        // One attempt in ten seconds, counted from the latest one. A request that read the clock a little before an
        // accepted one waits that much longer, and the seconds are rounded up.
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

    // Another session has its own budget.
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
