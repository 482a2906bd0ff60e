//! What is written stays.

use e2e::{DEADLINE, NURSES_PER_SITE, PATIENT};
use testkit::contract;
use testkit::stack::Stack;

#[tokio::test]
async fn nobody_changes_a_stored_report_its_audit_event_or_an_attempt() -> anyhow::Result<()> {
    let stack = Stack::start().await?;
    let client = stack.client();
    let token = client.login(PATIENT.login, PATIENT.pin).await?;
    let submitted = client.submit_new(&token, PATIENT.assignment).await?.expect_status(201)?;
    let expected = contract::submit_report(NURSES_PER_SITE);
    stack.otlp.wait_for_shape(&submitted.trace_id().unwrap_or_default(), DEADLINE, &expected).await?;
    // As the superuser, whom no grant holds back.
    let mut database = stack.database.connect().await?;
    for (table, column) in [("report", "revision"), ("audit_event", "action"), ("delivery_attempt", "outcome")] {
        for statement in [
            format!("UPDATE clinical.{table} SET {column} = {column}"),
            format!("DELETE FROM clinical.{table}"),
            format!("TRUNCATE clinical.{table} CASCADE"),
        ] {
            let refused = sqlx::raw_sql(sqlx::AssertSqlSafe(statement.clone())).execute(&mut database).await;
            let error = refused.err().map(|error| error.to_string()).unwrap_or_default();
            assert!(error.contains("append-only"), "{statement}: {error}");
        }
    }
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn each_role_can_do_its_own_work_and_nothing_else() -> anyhow::Result<()> {
    let stack = Stack::start().await?;
    for (role, statement) in [
        ("user_svc", "SELECT FROM clinical.report"),
        ("user_svc", "UPDATE identity.credential SET pin_hash = pin_hash"),
        ("user_svc", "UPDATE identity.session SET expires_at = now()"),
        ("user_svc", "CREATE TABLE identity.x ()"),
        ("data_svc", "SELECT FROM identity.person"),
        ("data_svc", "UPDATE clinical.report SET revision = revision"),
        ("data_svc", "DELETE FROM clinical.notification"),
        ("data_svc", "UPDATE clinical.notification SET recipient_id = recipient_id"),
        ("data_svc", "TRUNCATE clinical.audit_event"),
        ("data_svc", "CREATE TABLE clinical.x ()"),
        ("data_svc", "SET ROLE clinical_owner"),
    ] {
        let mut connection = stack.database.connect_as(role).await?;
        let refused = sqlx::raw_sql(statement).execute(&mut connection).await;
        let code = refused.err().and_then(|error| Some(error.as_database_error()?.code()?.into_owned()));
        // insufficient_privilege
        assert_eq!(code.as_deref(), Some("42501"), "{role}: {statement}");
    }
    stack.stop().await?;
    Ok(())
}
