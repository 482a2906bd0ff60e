//! Tokens for tokens.

use e2e::{PATIENT, problem};
use testkit::client::{Session, Token};
use testkit::stack::Stack;

use super::is_good;

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
async fn of_two_refreshes_at_the_same_time_one_is_a_replay() -> anyhow::Result<()> {
    let stack = Stack::start().await?;
    let client = stack.client();
    let session = client.open_session(PATIENT.login, PATIENT.pin).await?;
    let (one, other) = tokio::try_join!(client.refresh(&session.refresh), client.refresh(&session.refresh))?;
    let (won, lost) = if one.status == 200 { (one, other) } else { (other, one) };
    let won = Session::of(&won.expect_status(200)?)?;
    problem(&lost, 401, "invalid-refresh-token")?;
    assert!(!is_good(&client, &won.access).await?);
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
