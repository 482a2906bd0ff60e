//! Refreshing tokens.

use e2e::setup::deactivate;
use e2e::{PATIENT, problem};
use futures_util::future::try_join_all;
use testkit::client::{Session, Token};
use testkit::stack::{Service, Stack};

use super::is_good;

/// Simulates that the grace time of all used tokens has passed.
async fn pass_grace(stack: &Stack) -> anyhow::Result<()> {
    sqlx::query("UPDATE identity.refresh_token SET used_at = used_at - interval '30 seconds'")
        .execute(&mut stack.database.connect().await?)
        .await?;
    Ok(())
}

#[tokio::test]
async fn a_refresh_gives_new_tokens_and_keeps_the_session() -> anyhow::Result<()> {
    let stack = Stack::start().await?;
    let client = stack.client();
    let first = client.open_session(PATIENT.login, PATIENT.pin).await?;
    let second = Session::of(&client.refresh(&first.refresh).await?.expect_status(200)?)?;
    let third = Session::of(&client.refresh(&second.refresh).await?.expect_status(200)?)?;
    assert_ne!(first.refresh, second.refresh);
    assert_ne!(second.refresh, third.refresh);
    for session in [first, second, third] {
        assert!(is_good(&client, &session.access).await?);
    }
    let (sessions, hashes): (i64, i64) =
        sqlx::query_as("SELECT (SELECT count(*) FROM identity.session), (SELECT count(*) FROM identity.refresh_token)")
            .fetch_one(&mut stack.database.connect().await?)
            .await?;
    assert_eq!((sessions, hashes), (1, 3));
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_replayed_refresh_token_ends_its_session() -> anyhow::Result<()> {
    let stack = Stack::start().await?;
    let client = stack.client();
    let stolen = client.open_session(PATIENT.login, PATIENT.pin).await?;
    let newest = Session::of(&client.refresh(&stolen.refresh).await?.expect_status(200)?)?;
    let other = client.open_session(PATIENT.login, PATIENT.pin).await?;
    pass_grace(&stack).await?;
    problem(&client.refresh(&stolen.refresh).await?, 401, "invalid-refresh-token")?;
    for ended in [&stolen, &newest] {
        assert!(!is_good(&client, &ended.access).await?);
        problem(&client.refresh(&ended.refresh).await?, 401, "invalid-refresh-token")?;
    }
    assert!(is_good(&client, &other.access).await?, "another session has ended too");
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn refreshes_at_the_same_time_get_the_same_successor() -> anyhow::Result<()> {
    let stack = Stack::start().await?;
    let client = stack.client();
    let first = client.open_session(PATIENT.login, PATIENT.pin).await?;
    let answers = try_join_all((0..6).map(|_| client.refresh(&first.refresh))).await?;
    let sessions = answers.into_iter().map(|answer| Session::of(&answer.expect_status(200)?));
    let sessions = sessions.collect::<anyhow::Result<Vec<_>>>()?;
    for session in &sessions {
        assert_eq!(session.refresh, sessions[0].refresh);
        assert!(is_good(&client, &session.access).await?);
    }
    client.refresh(&sessions[0].refresh).await?.expect_status(200)?;
    let tokens: i64 = sqlx::query_scalar("SELECT count(*) FROM identity.refresh_token")
        .fetch_one(&mut stack.database.connect().await?)
        .await?;
    assert_eq!(tokens, 3);
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_refresh_whose_answer_was_lost_is_answered_again() -> anyhow::Result<()> {
    let mut stack = Stack::start().await?;
    let client = stack.client();
    let first = client.open_session(PATIENT.login, PATIENT.pin).await?;
    // The answer is lost, and the retry is handled by another process.
    let lost = Session::of(&client.refresh(&first.refresh).await?.expect_status(200)?)?;
    stack.restart(Service::UserSvc).await?;
    stack.wait_until_ready().await?;
    let again = Session::of(&client.refresh(&first.refresh).await?.expect_status(200)?)?;
    assert_eq!(again.refresh, lost.refresh);
    // It makes no difference that the successor has been used already.
    let next = Session::of(&client.refresh(&lost.refresh).await?.expect_status(200)?)?;
    let late = Session::of(&client.refresh(&first.refresh).await?.expect_status(200)?)?;
    assert_eq!(late.refresh, lost.refresh);
    assert_eq!(Session::of(&client.refresh(&late.refresh).await?.expect_status(200)?)?.refresh, next.refresh);
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn within_the_grace_time_an_ended_session_stays_ended() -> anyhow::Result<()> {
    let stack = Stack::start().await?;
    let client = stack.client();
    let first = client.open_session(PATIENT.login, PATIENT.pin).await?;
    let second = Session::of(&client.refresh(&first.refresh).await?.expect_status(200)?)?;
    client.log_out(&second.access).await?.expect_status(204)?;
    problem(&client.refresh(&first.refresh).await?, 401, "invalid-refresh-token")?;
    let other = client.open_session(PATIENT.login, PATIENT.pin).await?;
    client.refresh(&other.refresh).await?.expect_status(200)?;
    deactivate(&stack, PATIENT.id).await?;
    problem(&client.refresh(&other.refresh).await?, 403, "inactive")?;
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn without_a_grace_time_the_second_use_is_a_replay() -> anyhow::Result<()> {
    let stack = Stack::builder().env(Service::UserSvc, "EPRO_SESSIONS__REFRESH_GRACE", "0s").start().await?;
    let client = stack.client();
    let session = client.open_session(PATIENT.login, PATIENT.pin).await?;
    let next = Session::of(&client.refresh(&session.refresh).await?.expect_status(200)?)?;
    problem(&client.refresh(&session.refresh).await?, 401, "invalid-refresh-token")?;
    assert!(!is_good(&client, &next.access).await?);
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_token_is_good_for_its_own_purpose_alone() -> anyhow::Result<()> {
    let stack = Stack::start().await?;
    let client = stack.client();
    let session = client.open_session(PATIENT.login, PATIENT.pin).await?;
    assert!(!is_good(&client, &Token(session.refresh.clone())).await?);
    let long = "x".repeat(60_000);
    for wrong in [&session.access.0, "", "garbage", "a\0b", "\u{202e}\u{1f600}", &long] {
        problem(&client.refresh(wrong).await?, 401, "invalid-refresh-token")?;
    }
    assert!(is_good(&client, &session.access).await?);
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_refresh_token_ends_with_its_session() -> anyhow::Result<()> {
    let stack = Stack::start().await?;
    let client = stack.client();
    let session = client.open_session(PATIENT.login, PATIENT.pin).await?;
    sqlx::query("UPDATE identity.session SET expires_at = now()").execute(&mut stack.database.connect().await?).await?;
    problem(&client.refresh(&session.refresh).await?, 401, "invalid-refresh-token")?;
    assert!(!is_good(&client, &session.access).await?);
    stack.stop().await?;
    Ok(())
}
