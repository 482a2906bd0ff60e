//! A study's records are deleted when their retention time is over: all of them, and nothing else.

use std::collections::BTreeMap;

use e2e::{DEADLINE, NURSE, OTHER_NURSE, PATIENT, clinical_rows, problem, rows, submitted, with_long_timeouts};
use migrations::demo::{NEWCOMER, PATIENTS, STUDY};
use migrations::{Purged, purge};
use serde_json::json;
use sqlx::AssertSqlSafe;
use testkit::poll;
use testkit::stack::{Service, Stack};

use crate::audit::{all_sealed, logged_seal, verify};

/// The demo study's code.
const CODE: &str = "DEMO-1";

const REASON: &str = "agreed by the sponsor";

/// Another study, with one patient of the first study and one of its own.
const OTHER_STUDY: &str = "
    INSERT INTO clinical.study (study_id, code, title)
    VALUES ('00000000-0000-4000-8000-000000000001', 'OTHER', 'Another study');
    INSERT INTO clinical.site (site_id, study_id, code, name, time_zone)
    VALUES ('00000000-0000-4000-8000-000000000002', '00000000-0000-4000-8000-000000000001', 'ROM', 'Rome', 'Europe/Rome');
    INSERT INTO clinical.enrolment (study_id, site_id, person_id, subject_code, time_zone, enrolled_at, baseline_date)
    SELECT '00000000-0000-4000-8000-000000000001', '00000000-0000-4000-8000-000000000002', person_id, subject_code,
           'Europe/Rome', now(), current_date
    FROM clinical.enrolment WHERE subject_code = 'BER-001'";

async fn execute(stack: &Stack, statements: &str) -> anyhow::Result<()> {
    sqlx::raw_sql(AssertSqlSafe(statements.to_owned())).execute(&mut stack.database.connect().await?).await?;
    Ok(())
}

/// Why the purge is refused.
async fn refused(stack: &Stack) -> anyhow::Result<String> {
    let purged = purge(&stack.database.admin_url(), CODE, REASON, false).await;
    Ok(format!("{:#}", purged.err().unwrap_or_else(|| anyhow::anyhow!("it is not refused"))))
}

/// The number of patients and nurses, and of logins, contacts and memberships.
async fn people(stack: &Stack) -> anyhow::Result<(i64, i64, i64, i64, i64)> {
    let counted = sqlx::query_as(
        "SELECT count(*) FILTER (WHERE role = 'patient'), count(*) FILTER (WHERE role = 'nurse'),
                (SELECT count(*) FROM identity.credential), (SELECT count(*) FROM identity.contact),
                (SELECT count(*) FROM identity.site_membership)
         FROM identity.person",
    );
    Ok(counted.fetch_one(&mut stack.database.connect().await?).await?)
}

/// A stack with reports, an alert, reviews and their notifications.
async fn filled() -> anyhow::Result<Stack> {
    let stack = with_long_timeouts().env(Service::DataSvc, "EPRO_AUDIT__SEAL_EVERY", "200ms").start().await?;
    let client = stack.client();
    let (patient, nurse) =
        (client.login(PATIENT.login, PATIENT.pin).await?, client.login(NURSE.login, NURSE.pin).await?);
    let report = submitted(&client, &patient, PATIENT).await?;
    client.review(&nurse, &report, "approved").await?.expect_status(201)?;
    let mut urgent = testkit::client::report(PATIENT.assignment);
    urgent["answers"]["pain"] = json!(9);
    client.submit(&patient, "urgent", &urgent).await?.expect_status(201)?;
    let delivered = async || Ok(rows(&stack).await?.delivered);
    assert_eq!(poll::until(DEADLINE, delivered, |delivered| *delivered == 8).await?, 8);
    all_sealed(&stack).await?;
    Ok(stack)
}

#[tokio::test]
async fn a_study_is_purged_when_it_is_closed_and_its_time_is_over_and_not_before() -> anyhow::Result<()> {
    let stack = filled().await?;
    let before = clinical_rows(&stack).await?;
    let not_yet = [
        ("", "it is open"),
        // Some of its windows still accept reports for days.
        ("UPDATE clinical.study SET closed_at = now()", "nobody has said how long to keep it"),
        ("UPDATE clinical.study SET retain_until = current_date + 1", "it is to be kept until"),
        ("UPDATE clinical.study SET retain_until = current_date", "may still arrive"),
        (
            "UPDATE clinical.study SET closed_at = '2020-01-01Z';
             UPDATE clinical.notification SET state = 'pending', due_at = now() + '1 hour'",
            "still being told",
        ),
    ];
    for (step, obstacle) in not_yet {
        execute(&stack, step).await?;
        let said = refused(&stack).await?;
        assert!(said.contains(obstacle), "{step}: {said}");
    }
    assert!(
        format!("{:#}", purge(&stack.database.admin_url(), "NONE", REASON, false).await.unwrap_err())
            .contains("no study NONE")
    );
    execute(&stack, "UPDATE clinical.notification SET state = 'delivered'").await?;

    let url = stack.database.admin_url();
    let patients = i64::try_from(PATIENTS.len() + 1)?;
    let expected = Purged { enrolments: patients, reports: 2, patients };
    assert_eq!(purge(&url, CODE, REASON, true).await?, expected, "a rehearsal says the same");
    assert_eq!(clinical_rows(&stack).await?, before, "and takes nothing");
    assert_eq!(purge(&url, CODE, REASON, false).await?, expected);
    assert!(refused(&stack).await?.contains("no study"));
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_purge_leaves_nothing_of_its_study_and_everything_of_others() -> anyhow::Result<()> {
    let stack = filled().await?;
    let seal = logged_seal(&stack).await?;
    let client = stack.client();
    let session = client.open_session(PATIENT.login, PATIENT.pin).await?;
    let gone = client.open_session(PATIENTS[1].login, PATIENTS[1].pin).await?;
    execute(&stack, OTHER_STUDY).await?;
    execute(
        &stack,
        "UPDATE clinical.study SET closed_at = '2020-01-01Z', retain_until = current_date WHERE code = 'DEMO-1'",
    )
    .await?;
    let patients = i64::try_from(PATIENTS.len() + 1)?;
    let purged = purge(&stack.database.admin_url(), CODE, REASON, false).await?;
    assert_eq!(purged, Purged { enrolments: patients, reports: 2, patients: patients - 1 });

    let left: BTreeMap<_, _> = clinical_rows(&stack).await?.into_iter().filter(|(_, rows)| *rows > 0).collect();
    let names: Vec<_> = left.keys().map(String::as_str).collect();
    let stays = [
        "_sqlx_migrations",
        "enrolment",
        "purge",
        "questionnaire_translation",
        "questionnaire_version",
        "site",
        "study",
        "time_zone",
    ];
    assert_eq!(names, stays, "{left:?}");
    assert_eq!((left["enrolment"], left["site"], left["study"]), (1, 1, 1));
    // One patient who is also in the other study, and the nurses, who have no site any more.
    assert_eq!(people(&stack).await?, (1, 4, 5, 4, 0));

    client.get("/v1/me/assignments", Some(&session.access)).await?.expect_status(200)?;
    problem(&client.get("/v1/me/assignments", Some(&gone.access)).await?, 401, "invalid-token")?;
    let nurse = client.login(OTHER_NURSE.login, OTHER_NURSE.pin).await?;
    assert_eq!(client.get(&format!("/v1/studies/{STUDY}"), Some(&nurse)).await?.status, 404);
    problem(&client.activate(NEWCOMER.activation_code, "864209").await?, 401, "invalid-activation-code")?;

    let (code, said) = verify(&stack, &[]).await?;
    assert_eq!((code, said.as_str()), (Some(0), "0 events in 0 chains, 0 seals hold"));
    let kept: (String, String, String, i64) = sqlx::query_as(
        "SELECT format('%s:%s:%s', study_id, last_seal_seq, encode(last_seal, 'hex')), purged_by, reason, audit_events
         FROM clinical.purge",
    )
    .fetch_one(&mut stack.database.connect().await?)
    .await?;
    assert_eq!((kept.0, kept.2.as_str()), (seal, REASON), "by {}", kept.1);
    assert_eq!(kept.3, 3);
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn what_a_purge_leaves_behind_stays() -> anyhow::Result<()> {
    let stack = filled().await?;
    execute(&stack, OTHER_STUDY).await?;
    execute(
        &stack,
        "UPDATE clinical.study SET closed_at = '2020-01-01Z', retain_until = current_date WHERE code = 'DEMO-1'",
    )
    .await?;
    purge(&stack.database.admin_url(), CODE, REASON, false).await?;
    for statement in [
        "DELETE FROM clinical.purge",
        "UPDATE clinical.purge SET reason = 'another'",
        "TRUNCATE clinical.purge",
        "DELETE FROM identity.purge",
        "UPDATE identity.purge SET people = 0",
        "TRUNCATE identity.purge",
    ] {
        let error = execute(&stack, statement).await.err().map(|error| format!("{error:#}")).unwrap_or_default();
        assert!(error.contains("append-only"), "{statement}: {error}");
    }
    stack.stop().await?;
    Ok(())
}
