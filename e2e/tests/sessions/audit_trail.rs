//! Events of logins and sessions are recorded permanently.

use std::collections::BTreeSet;

use e2e::{NURSE, PATIENT, problem};
use migrations::demo::SITES;
use sqlx::{AssertSqlSafe, PgConnection};
use testkit::client::{Client, Session};
use testkit::postgres::Cluster;
use testkit::stack::{Service, Stack};
use uuid::Uuid;

/// The actions of a person with their number, and whether they have a session and an actor.
async fn trail(stack: &Stack, person_id: Uuid) -> anyhow::Result<Vec<(String, i64, bool, bool)>> {
    let statement = sqlx::query_as(
        "SELECT action, count(*), bool_and(session_id IS NOT NULL), bool_and(actor_id = $2) IS NOT NULL
         FROM identity.audit_event WHERE person_id = $1 GROUP BY action ORDER BY action",
    );
    Ok(statement.bind(person_id).bind(NURSE.id).fetch_all(&mut stack.database.connect().await?).await?)
}

async fn fail(client: &Client) -> anyhow::Result<()> {
    let credentials = serde_json::json!({"login": PATIENT.login, "pin": "975310"});
    problem(&client.post("/v1/sessions", &credentials).await?, 401, "wrong-credentials")?;
    Ok(())
}

#[tokio::test]
async fn whatever_happens_to_a_login_or_session_is_in_the_trail() -> anyhow::Result<()> {
    let stack = Stack::builder()
        .env(Service::UserSvc, "EPRO_SESSIONS__LOCKOUT__FAILURES", "2")
        .env(Service::UserSvc, "EPRO_SESSIONS__LOCKOUT__MOST_FAILURES", "3")
        .env(Service::UserSvc, "EPRO_SESSIONS__FAILED_LOGIN_TAKES", "0s")
        .start()
        .await?;
    let client = stack.client();
    let issued = stack.command(Service::UserSvc, &["activation", "issue", "--login", PATIENT.login]).await?;
    client.activate(String::from_utf8(issued.stdout)?.trim(), PATIENT.pin).await?.expect_status(201)?;
    fail(&client).await?;
    let first = client.open_session(PATIENT.login, PATIENT.pin).await?;
    let second = Session::of(&client.refresh(&first.refresh).await?.expect_status(200)?)?;
    client.log_out(&second.access).await?.expect_status(204)?;
    let stolen = client.open_session(PATIENT.login, PATIENT.pin).await?;
    client.refresh(&stolen.refresh).await?.expect_status(200)?;
    let mut database = stack.database.connect().await?;
    let pass_grace = "UPDATE identity.refresh_token SET used_at = used_at - interval '1 hour'";
    sqlx::query(pass_grace).execute(&mut database).await?;
    // The first replay ends the session. The later ones find it ended.
    for _ in 0..4 {
        problem(&client.refresh(&stolen.refresh).await?, 401, "invalid-refresh-token")?;
    }
    fail(&client).await?;
    fail(&client).await?;
    sqlx::query("UPDATE identity.credential SET locked_until = now()").execute(&mut database).await?;
    fail(&client).await?;
    let nurse = client.login(NURSE.login, NURSE.pin).await?;
    // The second call finds no lock to remove.
    for _ in 0..2 {
        client.free_login(&nurse, SITES[0].id, PATIENT.id).await?.expect_status(204)?;
    }
    let expected = [
        ("activation.issue", 1, false, false),
        ("login", 2, true, false),
        ("login.block", 1, false, false),
        ("login.fail", 4, false, false),
        ("login.free", 1, false, true),
        ("login.lock", 1, false, false),
        ("pin.set", 1, false, false),
        ("session.end", 1, true, false),
        ("session.refresh", 2, true, false),
        ("session.replay", 1, true, false),
    ];
    let expected = expected.map(|(action, count, session, actor)| (action.to_owned(), count, session, actor));
    assert_eq!(trail(&stack, PATIENT.id).await?, expected);
    stack.stop().await?;
    Ok(())
}

/// How many events of this action there are.
async fn times(stack: &Stack, action: &str) -> anyhow::Result<i64> {
    let statement = sqlx::query_scalar("SELECT count(*) FROM identity.audit_event WHERE action = $1").bind(action);
    Ok(statement.fetch_one(&mut stack.database.connect().await?).await?)
}

#[tokio::test]
async fn guesses_at_a_locked_login_are_kept_once_in_a_while() -> anyhow::Result<()> {
    let stack = Stack::builder()
        .env(Service::UserSvc, "EPRO_SESSIONS__LOCKOUT__FAILURES", "2")
        .env(Service::UserSvc, "EPRO_SESSIONS__FAILED_LOGIN_TAKES", "0s")
        .start()
        .await?;
    let client = stack.client();
    for _ in 0..8 {
        fail(&client).await?;
    }
    assert_eq!(times(&stack, "login.fail").await?, 2, "none since the lock, because the last is so young");
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_replay_in_a_session_that_was_logged_out_is_kept_once_in_a_while() -> anyhow::Result<()> {
    let stack = Stack::start().await?;
    let client = stack.client();
    let stolen = client.open_session(PATIENT.login, PATIENT.pin).await?;
    let newest = Session::of(&client.refresh(&stolen.refresh).await?.expect_status(200)?)?;
    client.log_out(&newest.access).await?.expect_status(204)?;
    let pass_grace = "UPDATE identity.refresh_token SET used_at = used_at - interval '1 hour'";
    sqlx::query(pass_grace).execute(&mut stack.database.connect().await?).await?;
    for _ in 0..3 {
        problem(&client.refresh(&stolen.refresh).await?, 401, "invalid-refresh-token")?;
    }
    // Using the newest token of an ended session is no replay: another page on the same phone may not know yet that the
    // session has ended.
    problem(&client.refresh(&newest.refresh).await?, 401, "invalid-refresh-token")?;
    assert_eq!(times(&stack, "session.replay").await?, 1);
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_new_pin_ends_the_live_sessions_and_says_so_of_each() -> anyhow::Result<()> {
    let stack = Stack::start().await?;
    let client = stack.client();
    for _ in 0..3 {
        client.open_session(PATIENT.login, PATIENT.pin).await?;
    }
    let over = client.open_session(PATIENT.login, PATIENT.pin).await?;
    client.log_out(&over.access).await?.expect_status(204)?;
    let issued = stack.command(Service::UserSvc, &["activation", "issue", "--login", PATIENT.login]).await?;
    client.activate(String::from_utf8(issued.stdout)?.trim(), PATIENT.pin).await?.expect_status(201)?;
    assert_eq!(times(&stack, "session.end").await?, 4, "the logout, and three for the new PIN");
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn an_event_names_the_trace_of_its_request() -> anyhow::Result<()> {
    let stack = Stack::start().await?;
    let client = stack.client();
    let credentials = serde_json::json!({"login": PATIENT.login, "pin": PATIENT.pin});
    let answer = client.post("/v1/sessions", &credentials).await?.expect_status(200)?;
    let recorded: Option<String> = sqlx::query_scalar("SELECT trace_id FROM identity.audit_event")
        .fetch_one(&mut stack.database.connect().await?)
        .await?;
    assert_eq!(recorded, answer.trace_id());
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn what_is_refused_before_a_pin_is_checked_is_no_event_and_an_unknown_login_neither() -> anyhow::Result<()> {
    let stack = Stack::start().await?;
    let client = stack.client();
    let unknown = serde_json::json!({"login": "nobody", "pin": PATIENT.pin});
    problem(&client.post("/v1/sessions", &unknown).await?, 401, "wrong-credentials")?;
    problem(&client.refresh("guess").await?, 401, "invalid-refresh-token")?;
    let events: i64 = sqlx::query_scalar("SELECT count(*) FROM identity.audit_event")
        .fetch_one(&mut stack.database.connect().await?)
        .await?;
    assert_eq!(events, 0);
    stack.stop().await?;
    Ok(())
}

/// The error code of a statement that must fail.
async fn refused(connection: &mut PgConnection, statement: &str) -> String {
    let error = sqlx::raw_sql(AssertSqlSafe(statement.to_owned())).execute(connection).await.err();
    let code = error.as_ref().and_then(sqlx::Error::as_database_error).and_then(sqlx::error::DatabaseError::code);
    code.map_or_else(|| "no error".to_owned(), std::borrow::Cow::into_owned)
}

#[tokio::test]
async fn nobody_changes_the_trail_not_even_the_superuser() -> anyhow::Result<()> {
    let database = Cluster::from_env()?.create_database().await?;
    let mut superuser = database.connect().await?;
    let mut service = database.connect_as("user_svc").await?;
    sqlx::query("INSERT INTO identity.audit_event (person_id, action) VALUES ($1, 'pin.set')")
        .bind(PATIENT.id)
        .execute(&mut service)
        .await?;
    for statement in [
        "UPDATE identity.audit_event SET action = action",
        "DELETE FROM identity.audit_event",
        "TRUNCATE identity.audit_event CASCADE",
    ] {
        assert_eq!(refused(&mut superuser, statement).await, "23001", "{statement}");
        assert_eq!(refused(&mut service, statement).await, "42501", "{statement}");
    }
    database.drop().await?;
    Ok(())
}

#[tokio::test]
async fn a_table_of_identity_that_user_svc_only_adds_to_is_append_only() -> anyhow::Result<()> {
    let database = Cluster::from_env()?.create_database().await?;
    // Each table that the service may insert into, whether it may update it, and whether both triggers protect it.
    let tables: Vec<(String, bool, bool)> = sqlx::query_as(
        "SELECT relname::text, has_any_column_privilege('user_svc', pg_class.oid, 'UPDATE'),
                (SELECT count(*) = 2 FROM pg_trigger
                 WHERE tgrelid = pg_class.oid AND tgname IN ('append_only_row', 'append_only_table')
                   AND tgenabled IN ('O', 'A'))
         FROM pg_class WHERE relnamespace = 'identity'::regnamespace AND relkind IN ('r', 'p')
           AND has_table_privilege('user_svc', pg_class.oid, 'INSERT')",
    )
    .fetch_all(&mut database.connect().await?)
    .await?;
    let only_added: BTreeSet<_> = tables.iter().filter(|table| !table.1).map(|table| (&*table.0, table.2)).collect();
    // A signing key can be deleted: it is taken out of use by an operator.
    assert_eq!(only_added, BTreeSet::from([("audit_event", true), ("signing_key", false)]));
    database.drop().await?;
    Ok(())
}
