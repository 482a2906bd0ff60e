//! A dump that is taken under load is a consistent database, and the services can continue on it.

use std::ops::RangeInclusive;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::ensure;
use e2e::{DEADLINE, rows, with_long_timeouts};
use futures_util::future::try_join_all;
use migrations::demo::PATIENTS;
use serde_json::Value;
use testkit::client::{Client, Token, report};
use testkit::poll;
use testkit::postgres::Database;
use testkit::stack::{Service, Stack};
use uuid::Uuid;

use crate::audit::{all_sealed, logged_seal, verify};

/// A report whose storage was acknowledged to the phone.
struct Stored {
    token: Token,
    key: String,
    body: Value,
    report_id: String,
}

/// Submits reports one after the other until it is stopped.
async fn submit_until(
    client: &Client,
    token: Token,
    assignment: Uuid,
    stopped: &AtomicBool,
) -> anyhow::Result<Vec<Stored>> {
    let mut stored = Vec::new();
    while !stopped.load(Ordering::Relaxed) {
        let (key, body) = (Uuid::new_v4().to_string(), report(assignment));
        let report_id = client.submit(&token, &key, &body).await?.expect_status(201)?.text("report_id")?;
        stored.push(Stored { token: token.clone(), key, body, report_id });
    }
    Ok(stored)
}

/// Waits until there are at least so many reports. Returns their number.
async fn at_least(stack: &Stack, wanted: i64) -> anyhow::Result<i64> {
    let stored = poll::until(DEADLINE, async || Ok(rows(stack).await?.reports), |stored| *stored >= wanted).await?;
    ensure!(stored >= wanted, "{stored} of {wanted} reports");
    Ok(stored)
}

/// Takes a dump while reports arrive, and waits for more reports. Returns how many may be in the dump.
async fn dump(stack: &Stack, file: &Path) -> anyhow::Result<RangeInclusive<i64>> {
    let before = at_least(stack, 20).await?;
    stack.database.dump(file).await?;
    let after = rows(stack).await?.reports;
    at_least(stack, after + 20).await?;
    Ok(before..=after)
}

/// A database restored from a dump that was taken in the middle of a load, and all reports that were stored until the
/// end of the load.
async fn dump_and_restore(stack: &Stack) -> anyhow::Result<(Database, Vec<Stored>)> {
    let folder = tempfile::tempdir()?;
    let (client, stopped, file) = (stack.client(), AtomicBool::new(false), folder.path().join("epro.dump"));
    let phones = PATIENTS.iter().map(async |patient| {
        let token = client.login(patient.login, patient.pin).await?;
        submit_until(&client, token, patient.assignment, &stopped).await
    });
    let dump = async {
        let dumped = dump(stack, &file).await;
        stopped.store(true, Ordering::Relaxed);
        dumped
    };
    let (stored, in_dump) = tokio::try_join!(try_join_all(phones), dump)?;

    let restored = stack.database.create_empty().await?;
    restored.restore(&file).await?;
    restored.migrate().await?;
    let reports = reports(&restored).await?;
    ensure!(in_dump.contains(&reports), "{reports} are not {in_dump:?}");
    Ok((restored, stored.into_iter().flatten().collect()))
}

async fn reports(database: &Database) -> anyhow::Result<i64> {
    Ok(sqlx::query_scalar("SELECT count(*) FROM clinical.report").fetch_one(&mut database.connect().await?).await?)
}

/// Waits until every message that was due at the time of the dump has been sent.
async fn all_told(database: &Database) -> anyhow::Result<()> {
    let mut connection = database.connect().await?;
    let pending = async || {
        let pending = "SELECT count(*) FROM clinical.notification WHERE state <> 'delivered'";
        Ok(sqlx::query_scalar::<_, i64>(pending).fetch_one(&mut connection).await?)
    };
    assert_eq!(poll::until(DEADLINE, pending, |pending| *pending == 0).await?, 0);
    Ok(())
}

#[tokio::test]
async fn a_dump_taken_under_load_is_whole_and_phones_bring_what_came_after_it() -> anyhow::Result<()> {
    if !Database::can_be_dumped() {
        println!("not run: there is no pg_dump");
        return Ok(());
    }
    let mut stack = with_long_timeouts()
        .env(Service::DataSvc, "EPRO_AUDIT__SEAL_EVERY", "200ms")
        .env(Service::NotifySvc, "EPRO_SWEEP__OVERDUE", "1s")
        .start()
        .await?;
    let client = stack.client();
    let token = client.login(PATIENTS[0].login, PATIENTS[0].pin).await?;
    client.submit_new(&token, PATIENTS[0].assignment).await?.expect_status(201)?;
    all_sealed(&stack).await?;
    let noted = logged_seal(&stack).await?;

    let (restored, stored) = dump_and_restore(&stack).await?;
    for (service, role) in [(Service::DataSvc, "data_svc"), (Service::UserSvc, "user_svc")] {
        stack.restart_with(service, "EPRO_DATABASE__URL", Some(&restored.url(role))).await?;
    }
    stack.wait_until_ready().await?;
    let (code, said) = verify(&stack, &["--seal", &noted]).await?;
    assert_eq!(code, Some(0), "{said}");

    // The phones send their copies again. Reports that are in the dump get their old answer, others are stored.
    let mut again = 0;
    for Stored { token, key, body, report_id } in &stored {
        let answer = client.submit(token, key, body).await?.expect_status(201)?;
        again += usize::from(answer.text("report_id")? == *report_id);
    }
    assert!((20..stored.len()).contains(&again), "{again} of {}", stored.len());
    assert_eq!(usize::try_from(reports(&restored).await?)?, 1 + stored.len(), "each is stored once");

    // Simulates the time that it takes until the leases in the dump expire.
    sqlx::query("UPDATE clinical.notification SET lease_until = now() WHERE state = 'pending'")
        .execute(&mut restored.connect().await?)
        .await?;
    all_told(&restored).await?;
    let reconciled = stack.command(Service::DataSvc, &["reconcile", "--stuck-after", "0s"]).await?;
    assert_eq!(reconciled.status.code(), Some(0), "{}", String::from_utf8_lossy(&reconciled.stdout));
    let (code, said) = verify(&stack, &["--seal", &noted]).await?;
    assert_eq!(code, Some(0), "{said}");
    stack.stop().await?;
    restored.drop().await?;
    Ok(())
}
