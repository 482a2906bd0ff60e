//! The signing key of access tokens is replaced without an effect on users, or at once when it was stolen.

use e2e::{DEADLINE, PATIENT};
use jsonwebtoken::decode_header;
use testkit::client::Session;
use testkit::poll::until;
use testkit::stack::{Builder, Service, Stack};

use super::is_good;

/// A stack that loads new keys often.
fn tidy() -> Builder {
    Stack::builder().env(Service::UserSvc, "EPRO_HOUSEKEEPING__EVERY", "200ms")
}

/// Rotates the key. Returns the new key's id.
async fn rotate(stack: &Stack, arguments: &[&str]) -> anyhow::Result<String> {
    let arguments: Vec<_> = ["signing-key", "rotate"].into_iter().chain(arguments.iter().copied()).collect();
    let output = stack.command(Service::UserSvc, &arguments).await?;
    anyhow::ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?.trim_end().to_owned())
}

/// Refreshes a session until its token is signed with this key.
async fn refresh_until(stack: &Stack, mut session: Session, key_id: &str) -> anyhow::Result<Session> {
    let client = stack.client();
    let signed_with =
        |session: &Session| anyhow::Ok(decode_header(&session.access.0)?.kid.is_some_and(|kid| kid == key_id));
    let refreshed = async || {
        session = Session::of(&client.refresh(&session.refresh).await?.expect_status(200)?)?;
        signed_with(&session)
    };
    assert!(until(DEADLINE, refreshed, |is_new| *is_new).await?);
    Ok(session)
}

async fn keys(stack: &Stack) -> anyhow::Result<i64> {
    let count = sqlx::query_scalar("SELECT count(*) FROM identity.signing_key");
    Ok(count.fetch_one(&mut stack.database.connect().await?).await?)
}

#[tokio::test]
async fn a_new_key_signs_soon_and_the_old_one_is_deleted_when_what_it_signed_has_ended() -> anyhow::Result<()> {
    let stack = tidy().start().await?;
    let client = stack.client();
    let before = client.open_session(PATIENT.login, PATIENT.pin).await?;
    let old = before.access.clone();
    let key_id = rotate(&stack, &[]).await?;
    let session = refresh_until(&stack, before, &key_id).await?;
    assert!(is_good(&client, &old).await?, "an access token lasts for its time");
    assert_eq!(keys(&stack).await?, 2);

    sqlx::query("UPDATE identity.signing_key SET created_at = created_at - interval '20 minutes'")
        .execute(&mut stack.database.connect().await?)
        .await?;
    assert_eq!(until(DEADLINE, async || keys(&stack).await, |keys| *keys == 1).await?, 1);
    assert!(!until(DEADLINE, async || is_good(&client, &old).await, |good| !good).await?);
    assert!(is_good(&client, &session.access).await?);
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_key_that_somebody_else_has_opens_nothing_from_the_next_round_on() -> anyhow::Result<()> {
    let stack = tidy().start().await?;
    let client = stack.client();
    let session = client.open_session(PATIENT.login, PATIENT.pin).await?;
    let stolen = session.access.clone();
    let key_id = rotate(&stack, &["--distrust-old"]).await?;
    assert_eq!(keys(&stack).await?, 1);
    assert!(!until(DEADLINE, async || is_good(&client, &stolen).await, |good| !good).await?);
    let session = refresh_until(&stack, session, &key_id).await?;
    assert!(is_good(&client, &session.access).await?, "nobody has to log in again");
    stack.stop().await?;
    Ok(())
}
