//! Expired rows are deleted, and nothing else.

use e2e::{DEADLINE, NEIGHBOUR, PATIENT, problem};
use migrations::demo::NEWCOMER;
use testkit::client::Session;
use testkit::poll;
use testkit::stack::{Builder, Service, Stack};

use super::is_good;

/// A stack with frequent housekeeping, in batches of two, without a retention time.
fn tidy() -> Builder {
    Stack::builder()
        .env(Service::UserSvc, "EPRO_HOUSEKEEPING__EVERY", "200ms")
        .env(Service::UserSvc, "EPRO_HOUSEKEEPING__KEEP", "0s")
        .env(Service::UserSvc, "EPRO_HOUSEKEEPING__BATCH", "2")
        .env(Service::UserSvc, "EPRO_HOUSEKEEPING__BATCHES", "3")
}

/// The number of sessions, refresh tokens, seeds and activation codes.
async fn rows(stack: &Stack) -> anyhow::Result<(i64, i64, i64, i64)> {
    let counted = sqlx::query_as(
        "SELECT (SELECT count(*) FROM identity.session), (SELECT count(*) FROM identity.refresh_token),
                (SELECT count(successor_seed) FROM identity.refresh_token), (SELECT count(*) FROM identity.activation)",
    );
    Ok(counted.fetch_one(&mut stack.database.connect().await?).await?)
}

#[tokio::test]
async fn ended_sessions_and_spent_codes_are_deleted_and_live_ones_stay() -> anyhow::Result<()> {
    let stack = tidy().env_all("EPRO_TELEMETRY__METRICS", "otlp").env_all("OTEL_METRIC_EXPORT_INTERVAL", "200");
    let stack = stack.start().await?;
    let client = stack.client();
    let live = client.open_session(PATIENT.login, PATIENT.pin).await?;
    let mut ended = client.open_session(NEIGHBOUR.login, NEIGHBOUR.pin).await?;
    for _ in 0..6 {
        ended = Session::of(&client.refresh(&ended.refresh).await?.expect_status(200)?)?;
    }
    client.activate(NEWCOMER.activation_code, "864209").await?.expect_status(201)?;
    client.log_out(&ended.access).await?.expect_status(204)?;
    let left = poll::until(DEADLINE, async || rows(&stack).await, |rows| *rows == (1, 1, 0, 0)).await?;
    assert_eq!(left, (1, 1, 0, 0));

    assert!(is_good(&client, &live.access).await?);
    client.refresh(&live.refresh).await?.expect_status(200)?;
    problem(&client.refresh(&ended.refresh).await?, 401, "invalid-refresh-token")?;
    assert!(!is_good(&client, &ended.access).await?);
    problem(&client.activate(NEWCOMER.activation_code, "864209").await?, 401, "invalid-activation-code")?;
    for (table, number) in [("refresh_token", 7), ("session", 1), ("activation", 1)] {
        let of_table = [("epro.housekeeping.table", table)];
        let count = async || Ok(stack.otlp.sum("epro.housekeeping.deleted", &of_table));
        assert_eq!(poll::until(DEADLINE, count, |count| *count == number).await?, number, "{table}");
    }
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_used_token_is_kept_while_its_session_lasts_so_that_its_replay_is_noticed() -> anyhow::Result<()> {
    let stack = tidy().env(Service::UserSvc, "EPRO_SESSIONS__REFRESH_GRACE", "1s").start().await?;
    let client = stack.client();
    let stolen = client.open_session(PATIENT.login, PATIENT.pin).await?;
    let next = Session::of(&client.refresh(&stolen.refresh).await?.expect_status(200)?)?;
    let left = poll::until(DEADLINE, async || rows(&stack).await, |rows| rows.2 == 0).await?;
    assert_eq!(left, (1, 2, 0, 1), "the seed is erased, and the token stays");
    problem(&client.refresh(&stolen.refresh).await?, 401, "invalid-refresh-token")?;
    assert!(!is_good(&client, &next.access).await?, "its replay ends the session");
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn what_has_ended_is_kept_for_the_time_set() -> anyhow::Result<()> {
    let stack = tidy().env(Service::UserSvc, "EPRO_HOUSEKEEPING__KEEP", "1h").start().await?;
    let client = stack.client();
    let [recent, old] = [PATIENT, NEIGHBOUR].map(|patient| client.open_session(patient.login, patient.pin));
    let (recent, old) = tokio::try_join!(recent, old)?;
    for session in [&recent, &old] {
        client.log_out(&session.access).await?.expect_status(204)?;
    }
    sqlx::query("UPDATE identity.session SET revoked_at = revoked_at - interval '1 hour' WHERE person_id = $1")
        .bind(NEIGHBOUR.id)
        .execute(&mut stack.database.connect().await?)
        .await?;
    let left = poll::until(DEADLINE, async || rows(&stack).await, |rows| rows.0 == 1).await?;
    assert_eq!(left, (1, 1, 0, 1));
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn the_service_can_delete_nothing_that_is_not_over() -> anyhow::Result<()> {
    let stack = Stack::start().await?;
    let client = stack.client();
    let live = client.open_session(PATIENT.login, PATIENT.pin).await?;
    let mut service = stack.database.connect_as("user_svc").await?;
    for statement in [
        "SELECT identity.delete_refresh_tokens('infinity', 1000)",
        "SELECT identity.delete_sessions('infinity', 1000)",
        "SELECT identity.delete_activations('infinity', 1000)",
    ] {
        let deleted: i64 = sqlx::query_scalar(statement).fetch_one(&mut service).await?;
        assert_eq!(deleted, 0, "{statement}");
    }
    client.refresh(&live.refresh).await?.expect_status(200)?;
    stack.stop().await?;
    Ok(())
}
