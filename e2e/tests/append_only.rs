//! Stored records do not change, and each service has only the privileges that it needs.

use std::collections::BTreeSet;

use e2e::{DEADLINE, NURSE, NURSES_PER_SITE, PATIENT, setup};
use sqlx::{AssertSqlSafe, PgConnection};
use testkit::contract;
use testkit::postgres::Cluster;
use testkit::stack::{Service, Stack};

/// `insufficient_privilege`
const DENIED: &str = "42501";

/// The tables that data-svc only inserts into. The database refuses changes of their rows.
const APPEND_ONLY: [&str; 8] =
    ["alert", "audit_event", "audit_seal", "audit_seal_head", "delivery_attempt", "fill_window", "report", "review"];

/// All columns that a service may change. Each has a reason why its earlier values need not be kept.
const CHANGEABLE: [&str; 24] = [
    // The end of a chain moves on. Its events are kept.
    "clinical.audit_chain.context_hash",
    "clinical.audit_chain.hash",
    "clinical.audit_chain.prev_hash",
    "clinical.audit_chain.recorded_at",
    "clinical.audit_chain.seq",
    // The state of a delivery. Its attempts are kept.
    "clinical.notification.attempts",
    "clinical.notification.due_at",
    "clinical.notification.lease_until",
    // Who last had it sent again, and whether an attempt may have arrived. The attempts record that too.
    "clinical.notification.resent_at",
    "clinical.notification.resent_by",
    "clinical.notification.state",
    "clinical.notification.uncertain",
    // When the study's nurses are notified next, and since when no nurse was notified.
    "clinical.unnotified_report.escalate_at",
    "clinical.unnotified_report.found_at",
    // The same by the former name of the table, for data-svc of the previous release.
    "clinical.untold_report.escalate_at",
    "clinical.untold_report.found_at",
    "identity.activation.used_at",
    // Failed PINs, locks and a new PIN. The audit trail records them.
    "identity.credential.blocked_at",
    "identity.credential.failures",
    "identity.credential.locked_until",
    "identity.credential.pin_hash",
    // Erased when the grace time of a used token is over.
    "identity.refresh_token.successor_seed",
    "identity.refresh_token.used_at",
    "identity.session.revoked_at",
];

/// The error code and message of a statement that must fail.
async fn refused(connection: &mut PgConnection, statement: &str) -> (String, String) {
    let error = sqlx::raw_sql(AssertSqlSafe(statement.to_owned())).execute(connection).await.err();
    let error = error.as_ref().and_then(sqlx::Error::as_database_error);
    error.map_or_else(
        || ("no error".to_owned(), String::new()),
        |error| (error.code().unwrap_or_default().into_owned(), error.message().to_owned()),
    )
}

/// A column of a table that a statement may set to its own value.
async fn some_column(connection: &mut PgConnection, table: &str) -> anyhow::Result<String> {
    let column = sqlx::query_scalar(
        "SELECT attname::text FROM pg_attribute
         WHERE attrelid = format('clinical.%I', $1)::regclass AND attnum > 0 AND NOT attisdropped
           AND attidentity = '' AND attgenerated = '' ORDER BY attnum LIMIT 1",
    );
    Ok(column.bind(table).fetch_one(connection).await?)
}

/// A row of each append-only table.
async fn write_one_of_each(stack: &Stack) -> anyhow::Result<()> {
    let client = stack.client();
    let patient = client.login(PATIENT.login, PATIENT.pin).await?;
    let nurse = client.login(NURSE.login, NURSE.pin).await?;
    let stored = client.submit_new(&patient, PATIENT.assignment).await?.expect_status(201)?;
    let expected = contract::submit_report(NURSES_PER_SITE);
    stack.otlp.wait_for_shape(&stored.trace_id().unwrap_or_default(), DEADLINE, &expected).await?;
    client.review(&nurse, &stored.text("report_id")?, "approved").await?.expect_status(201)?;
    setup::windows_made(stack).await?;
    let mut urgent = testkit::client::report(PATIENT.assignment);
    urgent["answers"]["pain"] = 10.into();
    client.submit(&patient, "urgent", &urgent).await?.expect_status(201)?;
    // A seal with the end of the chain is enough for a row.
    sqlx::raw_sql(
        "INSERT INTO clinical.audit_seal
         SELECT study_id, 1000000, prev_hash, hash, now() FROM clinical.audit_chain JOIN clinical.enrolment USING (enrolment_id);
         INSERT INTO clinical.audit_seal_head
         SELECT study_id, 1000000, enrolment_id, seq, hash
         FROM clinical.audit_chain JOIN clinical.enrolment USING (enrolment_id)",
    )
    .execute(&mut stack.database.connect_as("data_svc").await?)
    .await?;
    Ok(())
}

#[tokio::test]
async fn nobody_changes_what_is_append_only_not_even_the_superuser() -> anyhow::Result<()> {
    let mut stack = Stack::start().await?;
    write_one_of_each(&stack).await?;
    // The statements here take strong locks. data-svc's own statements could deadlock with them.
    stack.kill(Service::DataSvc).await?;
    let mut superuser = stack.database.connect().await?;
    let mut service = stack.database.connect_as("data_svc").await?;
    for table in APPEND_ONLY {
        let column = some_column(&mut superuser, table).await?;
        for statement in [
            format!("UPDATE clinical.{table} SET {column} = {column}"),
            format!("DELETE FROM clinical.{table}"),
            format!("TRUNCATE clinical.{table} CASCADE"),
        ] {
            let (code, message) = refused(&mut superuser, &statement).await;
            // restrict_violation
            assert!(code == "23001" && message.contains("append-only"), "{statement}: {code} {message}");
            assert_eq!(refused(&mut service, &statement).await.0, DENIED, "{statement}");
        }
    }
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn an_instrument_is_frozen_but_for_its_retirement() -> anyhow::Result<()> {
    let database = Cluster::from_env()?.create_database().await?;
    let mut superuser = database.connect().await?;
    let mut service = database.connect_as("data_svc").await?;
    let retire = "UPDATE clinical.questionnaire_version SET retired_at = now()";
    let announce = "UPDATE clinical.questionnaire_version SET retired_at = now() + interval '200 years'";
    let withdraw = "UPDATE clinical.questionnaire_version SET retired_at = NULL";
    let statements = [
        "UPDATE clinical.questionnaire_version SET version = '1.1'",
        "UPDATE clinical.questionnaire_version SET definition = '{}', sha256 = sha256('{}')",
        "DELETE FROM clinical.questionnaire_version",
        "TRUNCATE clinical.questionnaire_version CASCADE",
    ];
    for statement in statements {
        assert_eq!(refused(&mut superuser, statement).await.0, "23001", "{statement}");
        assert_eq!(refused(&mut service, statement).await.0, DENIED, "{statement}");
    }
    assert_eq!(refused(&mut service, retire).await.0, DENIED);
    // A retirement in the future can still be changed.
    for statement in [announce, withdraw, announce, retire] {
        sqlx::raw_sql(statement).execute(&mut superuser).await?;
    }
    for again in [retire, withdraw] {
        assert_eq!(refused(&mut superuser, again).await.0, "23001", "{again}");
    }
    database.drop().await?;
    Ok(())
}

#[tokio::test]
async fn what_a_service_may_change_is_on_the_list() -> anyhow::Result<()> {
    let database = Cluster::from_env()?.create_database().await?;
    let mut superuser = database.connect().await?;
    // Includes privileges on the column or the table, and those through PUBLIC or another role.
    let changeable: Vec<String> = sqlx::query_scalar(
        "SELECT DISTINCT format('%s.%s.%s', nspname, relname, attname)
         FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid JOIN pg_namespace ON pg_namespace.oid = relnamespace,
              unnest(ARRAY['user_svc', 'data_svc']) AS role
         WHERE nspname IN ('identity', 'clinical') AND relkind IN ('r', 'p', 'v', 'm', 'f')
           AND attnum > 0 AND NOT attisdropped AND has_column_privilege(role, attrelid, attnum, 'UPDATE')
         ORDER BY 1",
    )
    .fetch_all(&mut superuser)
    .await?;
    assert_eq!(changeable, CHANGEABLE);

    let more: Vec<String> = sqlx::query_scalar(
        "SELECT format('%s: %s on %s', role, privilege, pg_class.oid::regclass)
         FROM pg_class, unnest(ARRAY['user_svc', 'data_svc']) AS role,
              unnest(ARRAY['DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER']) AS privilege
         WHERE relnamespace IN ('identity'::regnamespace, 'clinical'::regnamespace) AND relkind IN ('r', 'p', 'v', 'm', 'f')
           AND has_table_privilege(role, pg_class.oid, privilege)
         ORDER BY 1",
    )
    .fetch_all(&mut superuser)
    .await?;
    // Expired rows are deleted by functions that refuse to delete anything else.
    assert!(more.is_empty(), "{more:?}");
    database.drop().await?;
    Ok(())
}

#[tokio::test]
async fn a_table_that_a_service_only_adds_to_is_append_only() -> anyhow::Result<()> {
    let database = Cluster::from_env()?.create_database().await?;
    let mut superuser = database.connect().await?;
    // Each table in the schema `clinical` that data-svc may insert into, and whether both triggers protect it.
    let tables: Vec<(String, bool)> = sqlx::query_as(
        "SELECT relname::text,
                (SELECT count(*) = 2 FROM pg_trigger
                 WHERE tgrelid = pg_class.oid AND tgname IN ('append_only_row', 'append_only_table')
                   AND tgenabled IN ('O', 'A'))
         FROM pg_class WHERE relnamespace = 'clinical'::regnamespace AND relkind IN ('r', 'p')
           AND has_table_privilege('data_svc', pg_class.oid, 'INSERT')",
    )
    .fetch_all(&mut superuser)
    .await?;
    let (guarded, others): (Vec<_>, Vec<_>) = tables.into_iter().partition(|(_, guarded)| *guarded);
    let names = |tables: Vec<(String, bool)>| tables.into_iter().map(|(name, _)| name).collect::<BTreeSet<_>>();
    assert_eq!(names(guarded), APPEND_ONLY.map(str::to_owned).into());
    // Three of them have a state that changes. An idempotency key is only kept as long as its report may be sent again.
    assert_eq!(
        names(others),
        ["audit_chain", "idempotency", "notification", "unnotified_report"].map(str::to_owned).into()
    );
    database.drop().await?;
    Ok(())
}

/// Statements that neither service may run.
const FOR_BOTH: [&str; 15] = [
    "CREATE TABLE public.x ()",
    "CREATE TEMPORARY TABLE x ()",
    "CREATE SCHEMA x",
    "CREATE ROLE x",
    "ALTER ROLE CURRENT_USER SUPERUSER",
    "ALTER SYSTEM SET fsync = off",
    "SET ROLE clinical_owner",
    "SET ROLE identity_owner",
    "SET ROLE postgres",
    "SET SESSION AUTHORIZATION postgres",
    // This would switch the triggers off.
    "SET session_replication_role = replica",
    "GRANT clinical_owner TO CURRENT_USER",
    "COPY (SELECT 1) TO PROGRAM 'true'",
    "SELECT pg_read_file('/etc/passwd')",
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'postgres'",
];

/// Statements that one of the services may not run.
const FOR_ONE: [(&str, &str); 39] = [
    ("user_svc", "SELECT FROM clinical.report"),
    ("user_svc", "INSERT INTO clinical.study (code, title) VALUES ('x', 'x')"),
    ("user_svc", "SELECT clinical.report_digest(gen_random_uuid())"),
    ("user_svc", "UPDATE identity.person SET active = true"),
    ("user_svc", "UPDATE identity.person SET role = 'nurse'"),
    ("user_svc", "UPDATE identity.credential SET login = login"),
    ("user_svc", "UPDATE identity.session SET expires_at = now()"),
    ("user_svc", "UPDATE identity.session SET person_id = person_id"),
    ("user_svc", "UPDATE identity.activation SET person_id = person_id"),
    ("user_svc", "UPDATE identity.signing_key SET public_key = public_key"),
    ("user_svc", "INSERT INTO identity.person (role) VALUES ('nurse')"),
    ("user_svc", "INSERT INTO identity.site_membership VALUES (gen_random_uuid(), gen_random_uuid())"),
    ("user_svc", "DELETE FROM identity.session"),
    ("user_svc", "CREATE TABLE identity.x ()"),
    ("user_svc", "DROP TABLE identity.session"),
    ("data_svc", "SELECT FROM identity.person"),
    ("data_svc", "SELECT FROM identity.contact"),
    ("data_svc", "SELECT FROM identity.signing_key"),
    ("data_svc", "INSERT INTO clinical.study (code, title) VALUES ('x', 'x')"),
    ("data_svc", "UPDATE clinical.study SET closed_at = NULL"),
    ("data_svc", "UPDATE clinical.enrolment SET site_id = site_id"),
    ("data_svc", "UPDATE clinical.assignment SET opens = opens"),
    ("data_svc", "UPDATE clinical.idempotency SET fingerprint = fingerprint"),
    ("data_svc", "DELETE FROM clinical.idempotency"),
    ("data_svc", "DELETE FROM clinical.notification"),
    ("data_svc", "UPDATE clinical.notification SET recipient_id = recipient_id"),
    ("data_svc", "DELETE FROM clinical.audit_chain"),
    ("data_svc", "SELECT FROM clinical.report FOR UPDATE"),
    ("data_svc", "ALTER TABLE clinical.report DISABLE TRIGGER append_only_row"),
    ("data_svc", "DROP TRIGGER append_only_row ON clinical.report"),
    ("data_svc", "DROP TABLE clinical.report"),
    ("data_svc", "ALTER TABLE clinical.report ADD COLUMN x integer"),
    (
        "data_svc",
        "CREATE OR REPLACE FUNCTION clinical.refuse_change() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
    ),
    ("data_svc", "CREATE TABLE clinical.x ()"),
    ("data_svc", "SELECT clinical.purge_study('DEMO-1', 'x')"),
    ("data_svc", "INSERT INTO clinical.purge (study_id) VALUES (gen_random_uuid())"),
    ("data_svc", "INSERT INTO clinical.questionnaire_translation VALUES (gen_random_uuid(), 'de', '{}')"),
    ("user_svc", "SELECT identity.purge_people(gen_random_uuid(), '{}', '{}')"),
    ("user_svc", "DELETE FROM identity.signing_key"),
];

#[tokio::test]
async fn each_role_can_do_its_own_work_and_nothing_else() -> anyhow::Result<()> {
    let database = Cluster::from_env()?.create_database().await?;
    // Gives the statement a connection to terminate.
    let _superuser = database.connect().await?;
    let for_both = FOR_BOTH.into_iter().flat_map(|statement| [("user_svc", statement), ("data_svc", statement)]);
    for (role, statement) in FOR_ONE.into_iter().chain(for_both) {
        let mut connection = database.connect_as(role).await?;
        let (code, message) = refused(&mut connection, statement).await;
        assert_eq!(code, DENIED, "{role}: {statement}: {message}");
    }
    database.drop().await?;
    Ok(())
}
