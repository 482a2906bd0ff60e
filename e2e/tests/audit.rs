//! Every manipulation of stored records is detected, even one by the superuser.

use std::process::Output;

use e2e::{DEADLINE, NEIGHBOUR, NURSE, PATIENT, amendment, submitted, with_long_timeouts};
use futures_util::future::try_join_all;
use serde_json::Value;
use sqlx::{AssertSqlSafe, PgConnection};
use testkit::client::report;
use testkit::poll;
use testkit::stack::{Service, Stack};
use uuid::Uuid;

mod context;
mod pages;
mod unsealed;

/// The tables that are manipulated.
const TABLES: [&str; 7] = ["report", "alert", "review", "audit_event", "audit_chain", "audit_seal", "audit_seal_head"];

pub(crate) async fn verify(stack: &Stack, arguments: &[&str]) -> anyhow::Result<(Option<i32>, String)> {
    let arguments: Vec<_> = ["audit", "verify"].into_iter().chain(arguments.iter().copied()).collect();
    let Output { status, stdout, stderr } = stack.command(Service::DataSvc, &arguments).await?;
    Ok((status.code(), String::from_utf8_lossy(&[stdout, stderr].concat()).trim_end().to_owned()))
}

async fn execute(database: &mut PgConnection, statements: &str) -> anyhow::Result<()> {
    sqlx::raw_sql(AssertSqlSafe(statements.to_owned())).execute(database).await?;
    Ok(())
}

/// A stack that seals often.
async fn sealing() -> anyhow::Result<Stack> {
    with_long_timeouts().env(Service::DataSvc, "EPRO_AUDIT__SEAL_EVERY", "200ms").start().await
}

/// Waits until every chain is sealed to its end, so that nothing changes any more.
pub(crate) async fn all_sealed(stack: &Stack) -> anyhow::Result<()> {
    let mut database = stack.database.connect().await?;
    let unsealed = async || {
        let count = "SELECT count(*) FROM clinical.audit_chain WHERE NOT EXISTS (
                         SELECT FROM clinical.audit_seal_head AS head
                         WHERE (head.enrolment_id, event_seq) = (audit_chain.enrolment_id, seq))";
        Ok(sqlx::query_scalar::<_, i64>(count).fetch_one(&mut database).await?)
    };
    assert_eq!(poll::until(DEADLINE, unsealed, |unsealed| *unsealed == 0).await?, 0);
    Ok(())
}

/// The study's last seal, as the log has it.
pub(crate) async fn logged_seal(stack: &Stack) -> anyhow::Result<String> {
    let last = "SELECT max(seq) FROM clinical.audit_seal";
    let last: i64 = sqlx::query_scalar(last).fetch_one(&mut stack.database.connect().await?).await?;
    let is_it = |line: &Value| line["message"] == "audit trail sealed" && line["seq"] == last;
    let line = stack.wait_for_log(Service::DataSvc, DEADLINE, is_it).await?;
    let text = |name: &str| line[name].as_str().unwrap_or_default().to_owned();
    Ok(format!("{}:{last}:{}", text("study_id"), text("hash")))
}

/// The records that [`history`] makes.
struct History {
    study: Uuid,
    enrolment: Uuid,
    /// The objects of the patient's events, in this order: report, report, amendment of the second, review of the
    /// first, report.
    objects: Vec<Uuid>,
    /// The number of the seal over the last of these events.
    seal: i64,
}

impl History {
    fn event(&self, seq: usize) -> String {
        format!("enrolment {}, event {seq}, object {}", self.enrolment, self.objects[seq - 1])
    }

    /// Manipulations of the records that the trail refers to, each with the message of the check.
    fn forged_objects(&self) -> Vec<(String, String)> {
        let (first, second, review, last) = (self.objects[0], self.objects[1], self.objects[3], self.objects[4]);
        let changed = |seq| format!("a report or review was changed: {}", self.event(seq));
        vec![
            (
                format!("UPDATE clinical.report SET raw_body = set_byte(raw_body, 0, 1) WHERE report_id = '{first}'"),
                changed(1),
            ),
            (
                format!(
                    "UPDATE clinical.report SET answers = answers || '{{\"pain\": 1}}' WHERE report_id = '{second}'"
                ),
                changed(2),
            ),
            (format!("DELETE FROM clinical.alert WHERE report_id = '{last}'"), changed(5)),
            (format!("UPDATE clinical.review SET outcome = 'rejected' WHERE review_id = '{review}'"), changed(4)),
            (
                format!("DELETE FROM clinical.report WHERE report_id = '{second}'"),
                format!("an event's report or review is missing: {}", self.event(2)),
            ),
        ]
    }

    /// Manipulations of the trail itself.
    fn forged_trail(&self) -> Vec<(String, String)> {
        let Self { study, enrolment, seal, objects } = self;
        let (of, last) = (format!("WHERE enrolment_id = '{enrolment}'"), objects[4]);
        let missing = |seq| format!("an event is missing: enrolment {enrolment}, event {seq}");
        let set_back = format!(
            "DELETE FROM clinical.audit_event {of} AND seq = 5;
             UPDATE clinical.audit_chain SET (seq, prev_hash, hash) =
                 (SELECT seq, prev_hash, hash FROM clinical.audit_event {of} AND seq = 4) {of}"
        );
        let erase = format!(
            "DELETE FROM clinical.alert WHERE report_id = '{last}'; DELETE FROM clinical.report WHERE report_id = '{last}'"
        );
        let change = |set: &str, seq: usize| {
            let change = format!("UPDATE clinical.audit_event SET {set} {of} AND seq = {seq}");
            (change, format!("an event was changed: {}", self.event(seq)))
        };
        vec![
            change("action = 'report.amend'", 2),
            change("trace_id = repeat('0', 32)", 4),
            (format!("DELETE FROM clinical.audit_event {of} AND seq = 2"), missing(2)),
            (format!("DELETE FROM clinical.audit_event {of}"), missing(1)),
            (
                format!("DELETE FROM clinical.audit_event {of} AND seq = 5"),
                format!("a chain does not end with this event: {}", self.event(4)),
            ),
            (set_back.clone(), format!("a report has not one event: enrolment {enrolment}, object {last}")),
            (
                format!("{set_back}; {erase}"),
                format!("a sealed event is missing: study {study}, seal {seal}, enrolment {enrolment}, event 5"),
            ),
            (
                "UPDATE clinical.audit_seal SET sealed_at = sealed_at - interval '1 day' WHERE seq = 1".to_owned(),
                format!("a seal was changed: study {study}, seal 1"),
            ),
            (
                "DELETE FROM clinical.audit_seal WHERE seq = 1".to_owned(),
                format!("a seal is missing: study {study}, seal 1"),
            ),
        ]
    }
}

/// Makes five events of one patient, one of another, and seals over both chains.
async fn history(stack: &Stack) -> anyhow::Result<History> {
    let client = stack.client();
    let token = client.login(PATIENT.login, PATIENT.pin).await?;
    let first = submitted(&client, &token, PATIENT).await?;
    // Makes sure that there is more than one seal, however fast the rest is.
    all_sealed(stack).await?;
    let second = submitted(&client, &token, PATIENT).await?;
    client.amend(&token, &second, "\"1\"", &amendment()).await?.expect_status(201)?;
    let nurse = client.login(NURSE.login, NURSE.pin).await?;
    client.review(&nurse, &first, "approved").await?.expect_status(201)?;
    // A report that causes an alert.
    let mut worse = report(PATIENT.assignment);
    worse["answers"]["pain"] = 9.into();
    client.submit(&token, "worse", &worse).await?.expect_status(201)?;
    let token = client.login(NEIGHBOUR.login, NEIGHBOUR.pin).await?;
    submitted(&client, &token, NEIGHBOUR).await?;
    all_sealed(stack).await?;

    let mut database = stack.database.connect().await?;
    let (study, enrolment) =
        sqlx::query_as("SELECT study_id, enrolment_id FROM clinical.enrolment WHERE person_id = $1")
            .bind(PATIENT.id)
            .fetch_one(&mut database)
            .await?;
    let objects = sqlx::query_scalar("SELECT object_id FROM clinical.audit_event WHERE enrolment_id = $1 ORDER BY seq")
        .bind(enrolment)
        .fetch_all(&mut database)
        .await?;
    let seal = sqlx::query_scalar(
        "SELECT seal_seq FROM clinical.audit_seal_head WHERE enrolment_id = $1 ORDER BY event_seq DESC LIMIT 1",
    )
    .bind(enrolment)
    .fetch_one(&mut database)
    .await?;
    Ok(History { study, enrolment, objects, seal })
}

#[tokio::test]
async fn a_trail_that_many_have_written_at_the_same_time_holds() -> anyhow::Result<()> {
    let stack = sealing().await?;
    let client = stack.client();
    let (token, other) =
        tokio::try_join!(client.login(PATIENT.login, PATIENT.pin), client.login(NEIGHBOUR.login, NEIGHBOUR.pin))?;
    let reports = try_join_all((0..48).map(|n| {
        let (token, patient) = if n % 4 == 0 { (&other, NEIGHBOUR) } else { (&token, PATIENT) };
        submitted(&client, token, patient)
    }))
    .await?;
    // Of many concurrent amendments and reviews, one succeeds.
    let nurse = client.login(NURSE.login, NURSE.pin).await?;
    let amendment = amendment();
    let amendments = try_join_all((0..8).map(|_| client.amend(&token, &reports[1], "\"1\"", &amendment))).await?;
    let reviews = try_join_all((0..8).map(|_| client.review(&nurse, &reports[2], "rejected"))).await?;
    for answers in [amendments, reviews] {
        assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 1);
        assert!(answers.iter().all(|answer| [201, 409, 412].contains(&answer.status)));
    }
    let backwards: i64 = sqlx::query_scalar(
        "SELECT count(*)
         FROM (SELECT recorded_at < lag(recorded_at) OVER (PARTITION BY enrolment_id ORDER BY seq) AS backwards
               FROM clinical.audit_event) AS event
         WHERE backwards",
    )
    .fetch_one(&mut stack.database.connect().await?)
    .await?;
    assert_eq!(backwards, 0, "times run backwards along a chain");
    all_sealed(&stack).await?;
    let noted = logged_seal(&stack).await?;
    let (status, said) = verify(&stack, &["--seal", &noted]).await?;
    assert_eq!(status, Some(0), "{said}");
    assert!(said.starts_with("50 events in 2 chains, ") && said.ends_with(" seals hold"), "{said}");
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn every_forgery_is_found_and_its_place_named() -> anyhow::Result<()> {
    let mut stack = sealing().await?;
    let history = history(&stack).await?;
    // data-svc must not seal the manipulated records.
    stack.terminate(Service::DataSvc).await?;
    assert_eq!(verify(&stack, &[]).await?.0, Some(0));

    let mut forger = stack.database.connect().await?;
    // Switches off all triggers, as only the superuser can.
    execute(&mut forger, "SET session_replication_role = replica; CREATE SCHEMA saved").await?;
    for table in TABLES {
        execute(&mut forger, &format!("CREATE TABLE saved.{table} AS TABLE clinical.{table}")).await?;
    }
    for (forgery, expected) in history.forged_objects().into_iter().chain(history.forged_trail()) {
        execute(&mut forger, &forgery).await?;
        assert_eq!(verify(&stack, &[]).await?, (Some(1), expected), "{forgery}");
        for table in TABLES {
            let restore = "OVERRIDING SYSTEM VALUE TABLE saved";
            let restore = format!("DELETE FROM clinical.{table}; INSERT INTO clinical.{table} {restore}.{table}");
            execute(&mut forger, &restore).await?;
        }
    }
    assert_eq!(verify(&stack, &[]).await?.0, Some(0));
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn who_forges_the_seals_as_well_is_found_by_one_that_was_noted() -> anyhow::Result<()> {
    let mut stack = sealing().await?;
    history(&stack).await?;
    let noted = logged_seal(&stack).await?;
    stack.terminate(Service::DataSvc).await?;
    assert_eq!(verify(&stack, &["--seal", &noted]).await?.0, Some(0));

    let mut forger = stack.database.connect().await?;
    let forgery = "SET session_replication_role = replica;
                   DELETE FROM clinical.audit_seal_head; DELETE FROM clinical.audit_seal";
    execute(&mut forger, forgery).await?;
    assert_eq!(verify(&stack, &[]).await?, (Some(0), "6 events in 2 chains, 0 seals hold".to_owned()));
    let place = noted.split(':').take(2).collect::<Vec<_>>().join(", seal ");
    let expected = format!("a noted seal is not the stored one: study {place}");
    assert_eq!(verify(&stack, &["--seal", &noted]).await?, (Some(1), expected));
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_trail_that_cannot_be_read_is_neither_whole_nor_broken() -> anyhow::Result<()> {
    let stack = Stack::start().await?;
    let locked = format!("REVOKE CONNECT ON DATABASE {} FROM public, data_svc", stack.database.name);
    execute(&mut stack.database.connect().await?, &locked).await?;
    assert_eq!(verify(&stack, &[]).await?, (Some(2), "the database answered 42501".to_owned()));
    assert_eq!(verify(&stack, &["--seal", "x"]).await?.0, Some(2));
    stack.stop().await?;
    Ok(())
}
