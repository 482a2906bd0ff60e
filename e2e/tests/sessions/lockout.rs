//! Protection against guessed PINs.

use std::time::{Duration, Instant};

use e2e::{NEIGHBOUR, NURSE, OTHER_NURSE, PATIENT, problem};
use futures_util::future::try_join_all;
use migrations::demo::{NEWCOMER, SITES, STUDY};
use serde_json::{Value, json};
use testkit::client::Client;
use testkit::stack::{Builder, Service, Stack};

const WRONG: &str = "975310";

/// The body of a refusal without the fields that differ in every answer.
async fn refusal(client: &Client, login: &str, pin: &str) -> anyhow::Result<Value> {
    let answer = client.post("/v1/sessions", &json!({"login": login, "pin": pin})).await?;
    let mut body = problem(&answer, 401, "wrong-credentials")?;
    for own in ["trace_id", "trace_url", "instance"] {
        body[own].take();
    }
    Ok(body)
}

/// The number of counted failures, and whether the login is locked.
async fn credential(stack: &Stack, login: &str) -> anyhow::Result<(i32, bool)> {
    let statement = sqlx::query_as(
        "SELECT failures, coalesce(locked_until > now(), false) FROM identity.credential WHERE login = $1",
    );
    Ok(statement.bind(login).fetch_one(&mut stack.database.connect().await?).await?)
}

/// Minutes until the login's lock ends, rounded up.
async fn minutes_locked(stack: &Stack, login: &str) -> anyhow::Result<i64> {
    let statement = sqlx::query_scalar(
        "SELECT ceil(extract(epoch FROM locked_until - now()) / 60)::bigint FROM identity.credential WHERE login = $1",
    );
    Ok(statement.bind(login).fetch_one(&mut stack.database.connect().await?).await?)
}

/// A stack that locks a login after two wrong PINs and blocks it after four.
fn strict() -> Builder {
    Stack::builder()
        .env(Service::UserSvc, "EPRO_SESSIONS__LOCKOUT__FAILURES", "2")
        .env(Service::UserSvc, "EPRO_SESSIONS__LOCKOUT__MOST_FAILURES", "4")
        .env(Service::UserSvc, "EPRO_SESSIONS__FAILED_LOGIN_TAKES", "0s")
}

/// Four wrong PINs. The lock in between has expired.
async fn block(stack: &Stack, login: &str) -> anyhow::Result<()> {
    let client = stack.client();
    for _ in 0..2 {
        refusal(&client, login, WRONG).await?;
        refusal(&client, login, WRONG).await?;
        pass_time(stack).await?;
    }
    Ok(())
}

/// Simulates that all locks have expired.
async fn pass_time(stack: &Stack) -> anyhow::Result<()> {
    sqlx::query("UPDATE identity.credential SET locked_until = now() WHERE locked_until IS NOT NULL")
        .execute(&mut stack.database.connect().await?)
        .await?;
    Ok(())
}

async fn lock(stack: &Stack, login: &str) -> anyhow::Result<()> {
    let statement =
        sqlx::query("UPDATE identity.credential SET locked_until = now() + interval '1 hour' WHERE login = $1");
    statement.bind(login).execute(&mut stack.database.connect().await?).await?;
    Ok(())
}

#[tokio::test]
async fn too_many_wrong_pins_lock_a_login_for_a_time() -> anyhow::Result<()> {
    let stack = Stack::start().await?;
    let client = stack.client();
    for _ in 0..5 {
        refusal(&client, PATIENT.login, WRONG).await?;
    }
    assert_eq!(credential(&stack, PATIENT.login).await?, (5, true));
    let locked_until = "SELECT locked_until::text FROM identity.credential WHERE locked_until IS NOT NULL";
    let before: String = sqlx::query_scalar(locked_until).fetch_one(&mut stack.database.connect().await?).await?;
    for pin in [PATIENT.pin, WRONG] {
        refusal(&client, PATIENT.login, pin).await?;
    }
    let after: String = sqlx::query_scalar(locked_until).fetch_one(&mut stack.database.connect().await?).await?;
    assert_eq!(before, after, "an attempt has made the lock longer");
    client.login(NEIGHBOUR.login, NEIGHBOUR.pin).await?;
    pass_time(&stack).await?;
    client.login(PATIENT.login, PATIENT.pin).await?;
    assert_eq!(credential(&stack, PATIENT.login).await?, (0, false));
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn the_right_pin_forgets_the_wrong_ones() -> anyhow::Result<()> {
    let stack = Stack::builder().env(Service::UserSvc, "EPRO_SESSIONS__LOCKOUT__FAILURES", "2").start().await?;
    let client = stack.client();
    for _ in 0..3 {
        refusal(&client, PATIENT.login, WRONG).await?;
        assert_eq!(credential(&stack, PATIENT.login).await?, (1, false));
        client.login(PATIENT.login, PATIENT.pin).await?;
    }
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn guesses_at_the_same_time_are_all_counted() -> anyhow::Result<()> {
    let stack = Stack::builder().env(Service::UserSvc, "EPRO_SESSIONS__LOCKOUT__FAILURES", "8").start().await?;
    let client = stack.client();
    try_join_all((0..7).map(|_| refusal(&client, PATIENT.login, WRONG))).await?;
    assert_eq!(credential(&stack, PATIENT.login).await?, (7, false));
    refusal(&client, PATIENT.login, WRONG).await?;
    assert_eq!(credential(&stack, PATIENT.login).await?, (8, true));
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn each_lock_is_longer_than_the_one_before() -> anyhow::Result<()> {
    let stack = Stack::builder()
        .env(Service::UserSvc, "EPRO_SESSIONS__LOCKOUT__FAILURES", "1")
        .env(Service::UserSvc, "EPRO_SESSIONS__LOCKOUT__LONGEST", "45m")
        .env(Service::UserSvc, "EPRO_SESSIONS__FAILED_LOGIN_TAKES", "0s")
        .start()
        .await?;
    let client = stack.client();
    for minutes in [15, 30, 45, 45] {
        refusal(&client, PATIENT.login, WRONG).await?;
        assert_eq!(minutes_locked(&stack, PATIENT.login).await?, minutes);
        pass_time(&stack).await?;
    }
    // The right PIN resets the count.
    client.login(PATIENT.login, PATIENT.pin).await?;
    refusal(&client, PATIENT.login, WRONG).await?;
    assert_eq!(minutes_locked(&stack, PATIENT.login).await?, 15);
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn too_many_wrong_pins_in_a_row_block_a_login_until_a_nurse_sets_it_free() -> anyhow::Result<()> {
    let stack = strict().start().await?;
    let client = stack.client();
    block(&stack, PATIENT.login).await?;
    for pin in [PATIENT.pin, WRONG] {
        refusal(&client, PATIENT.login, pin).await?;
    }
    assert_eq!(credential(&stack, PATIENT.login).await?, (4, false));
    let nurse = client.login(NURSE.login, NURSE.pin).await?;
    client.free_login(&nurse, SITES[0].id, PATIENT.id).await?.expect_status(204)?;
    client.login(PATIENT.login, PATIENT.pin).await?;
    // Repeated, as after a lost answer.
    client.free_login(&nurse, SITES[0].id, PATIENT.id).await?.expect_status(204)?;
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn an_activation_code_sets_a_blocked_login_free() -> anyhow::Result<()> {
    let stack = strict().start().await?;
    let client = stack.client();
    block(&stack, NURSE.login).await?;
    refusal(&client, NURSE.login, NURSE.pin).await?;
    let issued = stack.command(Service::UserSvc, &["activation", "issue", "--login", NURSE.login]).await?;
    let code = String::from_utf8(issued.stdout)?;
    client.activate(code.trim(), "864209").await?.expect_status(201)?;
    client.login(NURSE.login, "864209").await?;
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn only_a_nurse_of_the_site_sets_its_patients_free_and_nobody_else() -> anyhow::Result<()> {
    let stack = strict().start().await?;
    let client = stack.client();
    let nurse = client.login(NURSE.login, NURSE.pin).await?;
    let other = client.login(OTHER_NURSE.login, OTHER_NURSE.pin).await?;
    let neighbour = client.login(NEIGHBOUR.login, NEIGHBOUR.pin).await?;
    block(&stack, PATIENT.login).await?;
    let [berlin, boston] = SITES.each_ref().map(|site| site.id);
    for (token, site, person, status, name) in [
        (&other, berlin, PATIENT.id, 404, "site-not-found"),
        (&other, boston, PATIENT.id, 404, "patient-not-found"),
        (&nurse, berlin, OTHER_NURSE.id, 404, "patient-not-found"),
        (&nurse, berlin, NURSE.id, 404, "patient-not-found"),
        (&nurse, berlin, STUDY, 404, "patient-not-found"),
        (&neighbour, berlin, PATIENT.id, 403, "wrong-role"),
    ] {
        problem(&client.free_login(token, site, person).await?, status, name)?;
    }
    refusal(&client, PATIENT.login, PATIENT.pin).await?;
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_refused_login_does_not_tell_why() -> anyhow::Result<()> {
    let stack = Stack::start().await?;
    let client = stack.client();
    lock(&stack, NEIGHBOUR.login).await?;
    let attempts = [
        ("wrong PIN", PATIENT.login, WRONG),
        ("unknown login", "nobody", PATIENT.pin),
        ("locked login", NEIGHBOUR.login, NEIGHBOUR.pin),
        ("not activated", NEWCOMER.login, PATIENT.pin),
    ];
    let mut bodies = Vec::new();
    let mut times = vec![Vec::new(); attempts.len()];
    // The first request opens the connections.
    refusal(&client, "nobody", WRONG).await?;
    // In turns, so that other load on the machine affects all attempts equally.
    for _ in 0..3 {
        for ((_, login, pin), times) in attempts.iter().zip(&mut times) {
            let start = Instant::now();
            bodies.push(refusal(&client, login, pin).await?);
            times.push(start.elapsed());
        }
    }
    for body in &bodies {
        assert_eq!(body, &bodies[0]);
    }
    let medians: Vec<Duration> = times.into_iter().map(median).collect();
    let told: Vec<_> = attempts.iter().map(|attempt| attempt.0).zip(&medians).collect();
    let (least, most) = (medians.iter().min().copied(), medians.iter().max().copied());
    assert!(least >= Some(Duration::from_millis(500)), "{told:?}");
    assert!(most < least.map(|least| least * 3 / 2), "{told:?}");
    stack.stop().await?;
    Ok(())
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

#[tokio::test]
async fn no_login_or_pin_is_too_odd_to_be_refused() -> anyhow::Result<()> {
    let stack = Stack::start().await?;
    let client = stack.client();
    let long = "x".repeat(60_000);
    let odd = ["", "a\0b", "\0", "\u{202e}\u{1f600}", "' OR 1=1 --", &long];
    for login in odd {
        refusal(&client, login, PATIENT.pin).await?;
    }
    for pin in &odd[..4] {
        refusal(&client, PATIENT.login, pin).await?;
    }
    client.login(PATIENT.login, PATIENT.pin).await?;
    stack.stop().await?;
    Ok(())
}
