//! The windows of an assignment follow from its plan.

use e2e::setup::Window;
use e2e::{DEADLINE, PATIENT, seen, setup};
use futures_util::future::try_join_all;
use sqlx::AssertSqlSafe;
use testkit::client::report;
use testkit::poll;
use testkit::postgres::Cluster;
use testkit::stack::{Service, Stack};
use uuid::Uuid;

#[tokio::test]
async fn windows_are_made_once_in_the_patients_time_zone() -> anyhow::Result<()> {
    let stack = Stack::start().await?;
    let client = stack.client();
    let token = client.login(PATIENT.login, PATIENT.pin).await?;
    try_join_all((0..8).map(|_| seen(&client, &token, "/v1/me/assignments"))).await?;
    setup::windows_made(&stack).await?;
    let (windows, at_six, at_half_past_two, at_three, days): (i64, i64, i64, i64, i64) = sqlx::query_as(
        "SELECT count(*), count(*) FILTER (WHERE opens = '06:00'), count(*) FILTER (WHERE closes = '02:30'),
                count(*) FILTER (WHERE closes = '03:00'), count(DISTINCT day)
         FROM (SELECT (opens_at AT TIME ZONE 'Europe/Berlin')::time AS opens,
                      (closes_at AT TIME ZONE 'Europe/Berlin')::time AS closes,
                      (opens_at AT TIME ZONE 'Europe/Berlin')::date AS day
               FROM clinical.fill_window
               WHERE assignment_id = $1 AND sync_until = closes_at + interval '72 hours') AS local",
    )
    .bind(PATIENT.scheduled)
    .fetch_one(&mut stack.database.connect().await?)
    .await?;
    assert_eq!((windows, at_six, days), (365, 365, 365));
    // When the clocks go forward in spring, there is no half past two.
    assert!(at_three <= 1 && at_half_past_two + at_three == 365, "{at_half_past_two} and {at_three}");
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn an_assignment_whose_windows_are_refused_holds_up_no_other() -> anyhow::Result<()> {
    let builder = Stack::builder().env(Service::DataSvc, "EPRO_SCHEDULE__MATERIALISE_EVERY", "100ms");
    let stack = builder.start().await?;
    let mut database = stack.database.connect().await?;
    // The assignment with the lower id fails, and it is processed first.
    let (refused, other) = (Uuid::from_u128(1), Uuid::max());
    sqlx::raw_sql(
        "ALTER TABLE clinical.fill_window ADD CHECK (assignment_id <> '00000000-0000-0000-0000-000000000001')",
    )
    .execute(&mut database)
    .await?;
    sqlx::query(
        "INSERT INTO clinical.assignment (assignment_id, enrolment_id, questionnaire_version_id, schedule,
                                          first_day, every_days, windows, opens, closes, sync_for)
         SELECT made, enrolment_id, questionnaire_version_id, schedule,
                first_day, every_days, windows, opens, closes, sync_for
         FROM clinical.assignment, unnest($2::uuid[]) AS made WHERE assignment_id = $1",
    )
    .bind(PATIENT.scheduled)
    .bind([refused, other])
    .execute(&mut database)
    .await?;
    let made = async || {
        let made: Vec<Uuid> =
            sqlx::query_scalar("SELECT DISTINCT assignment_id FROM clinical.fill_window WHERE assignment_id = ANY($1)")
                .bind([refused, other])
                .fetch_all(&mut database)
                .await?;
        Ok(made)
    };
    assert_eq!(poll::until(DEADLINE, made, |made| !made.is_empty()).await?, [other]);
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn who_submits_before_the_windows_are_made_is_asked_to_come_again() -> anyhow::Result<()> {
    let builder = Stack::builder().env(Service::DataSvc, "EPRO_SCHEDULE__MATERIALISE_EVERY", "1h");
    let stack = builder.start().await?;
    setup::windows_made(&stack).await?;
    let client = stack.client();
    let token = client.login(PATIENT.login, PATIENT.pin).await?;
    // data-svc looks for assignments without windows only once an hour here.
    let assignment_id = setup::schedule(&stack, PATIENT.assignment, &[]).await?;
    let body = report(assignment_id);
    let refused = client.submit(&token, "key", &body).await?;
    e2e::problem(&refused, 503, "windows-pending")?;
    assert!(refused.header("retry-after").is_some_and(|seconds| seconds.parse::<u32>().is_ok()));

    setup::add_windows(&stack, assignment_id, &[Window::open()]).await?;
    client.submit(&token, "key", &body).await?.expect_status(201)?;
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_zone_that_the_services_do_not_know_is_refused() -> anyhow::Result<()> {
    let database = Cluster::from_env()?.create_database().await?;
    let mut superuser = database.connect().await?;
    for table in ["site", "enrolment"] {
        for (zone, expected) in [
            ("Mars/Olympus_Mons", Some("23503")),
            ("europe/berlin", Some("23503")),
            ("Etc/Unknown", Some("23503")),
            ("CET-1CEST", Some("23503")),
            ("", Some("23503")),
            ("Pacific/Kiritimati", None),
            ("Asia/Calcutta", None),
            ("Etc/UTC", None),
        ] {
            let statement = format!("UPDATE clinical.{table} SET time_zone = '{zone}'");
            let refused = sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut superuser).await.err();
            let code =
                refused.as_ref().and_then(sqlx::Error::as_database_error).and_then(sqlx::error::DatabaseError::code);
            assert_eq!(code.as_deref(), expected, "{table} {zone:?}");
        }
    }
    database.drop().await?;
    Ok(())
}

#[tokio::test]
async fn every_plan_that_is_let_in_has_its_windows_in_the_calendar() -> anyhow::Result<()> {
    let builder = Stack::builder().env(Service::DataSvc, "EPRO_SCHEDULE__MATERIALISE_EVERY", "100ms");
    let stack = builder.start().await?;
    let mut database = stack.database.connect().await?;
    let set = |changes: &str| format!("UPDATE clinical.assignment SET {changes} WHERE schedule = 'scheduled'");
    // With triggers off, because they refuse changes of an assignment in use.
    sqlx::raw_sql("SET session_replication_role = replica").execute(&mut database).await?;
    for changes in [
        "first_day = 36601, windows = 1",
        "every_days = 2147483647, windows = 3660",
        "first_day = 2147483647, every_days = 2147483647, windows = 3660",
        "sync_for = '11 years'",
        "sync_for = '-1 year 360 days'",
    ] {
        let refused = sqlx::raw_sql(AssertSqlSafe(set(changes))).execute(&mut database).await.err();
        let code = refused.as_ref().and_then(sqlx::Error::as_database_error).and_then(sqlx::error::DatabaseError::code);
        assert_eq!(code.as_deref(), Some("23514"), "{changes}");
    }
    sqlx::raw_sql("SET session_replication_role = origin").execute(&mut database).await?;
    sqlx::raw_sql(
        "UPDATE clinical.enrolment SET baseline_date = '2199-12-31', enrolled_at = '9998-12-31T23:59:59Z';
         INSERT INTO clinical.assignment (assignment_id, enrolment_id, questionnaire_version_id, schedule,
                                          first_day, every_days, windows, opens, closes, sync_for)
         SELECT 'ffffffff-ffff-ffff-ffff-ffffffffffff', enrolment_id, questionnaire_version_id, schedule,
                36600, 2147483647, 1, opens, closes, '3650 days'
         FROM clinical.assignment WHERE schedule = 'scheduled' LIMIT 1",
    )
    .execute(&mut database)
    .await?;
    let made = async || {
        let count: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM clinical.fill_window WHERE assignment_id = 'ffffffff-ffff-ffff-ffff-ffffffffffff'",
        )
        .fetch_one(&mut database)
        .await?;
        Ok(count)
    };
    assert_eq!(poll::until(DEADLINE, made, |count| *count > 0).await?, 1);
    stack.stop().await?;
    Ok(())
}
