//! Every value that the database's constraints allow can be read by every reader.

use std::collections::BTreeMap;

use e2e::setup;
use e2e::{NURSE, PATIENT, seen, submitted};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, PgConnection};
use testkit::client::report;
use testkit::postgres::Cluster;
use testkit::stack::Stack;
use uuid::Uuid;

/// The error code of a statement; empty when it succeeds.
async fn code(connection: &mut PgConnection, statement: &str) -> String {
    let error = sqlx::raw_sql(AssertSqlSafe(statement.to_owned())).execute(connection).await.err();
    let error = error.as_ref().and_then(sqlx::Error::as_database_error);
    error.and_then(sqlx::error::DatabaseError::code).unwrap_or_default().into_owned()
}

/// `check_violation`
const BROKEN: &str = "23514";

/// Values of a type that Postgres accepts and a reader does not.
fn unreadable(type_name: &str) -> &'static [&'static str] {
    match type_name {
        "timestamptz" | "timestamp" => {
            &["infinity", "-infinity", "4713-01-01 00:00 BC", "0001-12-31 00:00Z", "9999-01-01 00:00Z", "294276-12-31"]
        }
        "date" => &["infinity", "-infinity", "4713-01-01 BC", "5874897-12-31"],
        "interval" => &["-1 second", "-1 year 360 days", "11 years", "178000000 years"],
        "jsonb" | "json" => &["null", "1", "[]", r#"{"a": 1e400}"#],
        _ => &[],
    }
}

#[tokio::test]
async fn no_column_takes_a_time_a_span_or_json_that_no_reader_can_read() -> anyhow::Result<()> {
    let database = Cluster::from_env()?.create_database().await?;
    let mut superuser = database.connect().await?;
    let columns: Vec<(String, String, String)> = sqlx::query_as(
        "SELECT format('%I.%I', nspname, relname), format('%I', attname), typname::text
         FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid JOIN pg_namespace ON pg_namespace.oid = relnamespace
              JOIN pg_type ON pg_type.oid = atttypid
         WHERE nspname IN ('identity', 'clinical') AND relkind IN ('r', 'p') AND relname <> '_sqlx_migrations'
           AND attnum > 0 AND NOT attisdropped AND typname IN ('timestamptz', 'timestamp', 'date', 'interval', 'json', 'jsonb')",
    )
    .fetch_all(&mut superuser)
    .await?;
    assert!(columns.len() > 20, "{columns:?}");
    for (table, column, type_name) in columns {
        // A table with the same checks and nothing else, so that a row needs only one value.
        let copy = format!(
            "DROP TABLE IF EXISTS copy; CREATE TEMP TABLE copy (LIKE {table} INCLUDING CONSTRAINTS);
             DO $$ DECLARE name text; BEGIN
                 FOR name IN SELECT attname FROM pg_attribute
                             WHERE attrelid = 'pg_temp.copy'::regclass AND attnum > 0 AND attnotnull LOOP
                     EXECUTE format('ALTER TABLE copy ALTER COLUMN %I DROP NOT NULL', name);
                 END LOOP; END $$"
        );
        assert_eq!(code(&mut superuser, &copy).await, "", "{table}");
        // Constraints on several columns may be violated by one value alone, so they are dropped.
        sqlx::raw_sql(
            "DO $$ DECLARE name text; BEGIN
                 FOR name IN SELECT conname FROM pg_constraint
                             WHERE conrelid = 'pg_temp.copy'::regclass AND contype = 'c' AND cardinality(conkey) > 1 LOOP
                     EXECUTE format('ALTER TABLE copy DROP CONSTRAINT %I', name);
                 END LOOP; END $$",
        )
        .execute(&mut superuser)
        .await?;
        for value in unreadable(&type_name) {
            let insert = format!("INSERT INTO copy ({column}) VALUES ('{value}'::{type_name})");
            assert_eq!(code(&mut superuser, &insert).await, BROKEN, "{table}.{column} takes {value}");
        }
    }
    database.drop().await?;
    Ok(())
}

#[tokio::test]
async fn quiet_hours_leave_an_hour_to_tell_in() -> anyhow::Result<()> {
    let database = Cluster::from_env()?.create_database().await?;
    let mut superuser = database.connect().await?;
    for (from, until, expected) in [
        ("24:00", "00:00", BROKEN),
        ("24:00", "07:00", BROKEN),
        ("00:00", "24:00", BROKEN),
        ("07:00", "07:00", BROKEN),
        ("00:00", "23:59:59.999999", ""),
        ("20:00", "24:00", ""),
    ] {
        let update = format!("UPDATE clinical.site SET quiet_from = '{from}', quiet_until = '{until}'");
        assert_eq!(code(&mut superuser, &update).await, expected, "{from} to {until}");
    }
    database.drop().await?;
    Ok(())
}

/// A choice item with additional members.
fn item(members: Value) -> Value {
    let mut item = json!({"link_id": "a", "type": "choice", "options": [{"value": 1}]});
    if let (Some(item), Value::Object(members)) = (item.as_object_mut(), members) {
        item.extend(members);
    }
    json!({"title": "An instrument", "items": [item]})
}

/// A definition with additional members.
fn definition(members: Value) -> Value {
    let mut definition = item(json!({}));
    if let (Some(definition), Value::Object(members)) = (definition.as_object_mut(), members) {
        definition.extend(members);
    }
    definition
}

/// Definitions that a reader could not read.
fn unreadable_definitions() -> Vec<Value> {
    let condition = json!({"link_id": "a", "operator": "=", "answer": 1});
    let alert = |members: Value| {
        let mut alert = condition.clone();
        alert["id"] = json!("alert");
        if let (Some(alert), Value::Object(members)) = (alert.as_object_mut(), members) {
            alert.extend(members);
        }
        definition(json!({"alerts": [alert]}))
    };
    let scoring = |scoring: Value| definition(json!({"scoring": scoring}));
    let nested = (0..70).fold(json!([]), |inside, _| json!([inside]));
    vec![
        definition(json!({"title": 1})),
        definition(json!({"items": {}})),
        definition(json!({"items": [[]]})),
        definition(json!({"items": ["a"]})),
        definition(json!({"alerts": null})),
        definition(json!({"note": nested})),
        item(json!({"link_id": 1})),
        item(json!({"type": "open-choice"})),
        item(json!({"min": "0"})),
        item(json!({"max_length": -1})),
        item(json!({"max_length": 1.5})),
        item(json!({"required": null})),
        item(json!({"options": {"value": 1}})),
        item(json!({"options": [{"value": 1.5}]})),
        item(json!({"options": [{"value": 18_446_744_073_709_551_615_u64}]})),
        item(json!({"options": [{}]})),
        item(json!({"enable_when": condition})),
        item(json!({"enable_when": [{"link_id": "a", "operator": "<", "answer": 1}]})),
        item(json!({"enable_when": [{"link_id": "a", "operator": "=", "answer": null}]})),
        item(json!({"enable_behavior": "some"})),
        item(json!({"enable_behavior": null})),
        scoring(json!({"method": "mean", "items": [], "bands": []})),
        scoring(json!({"method": "sum", "items": [1], "bands": []})),
        scoring(json!({"method": "sum", "items": []})),
        scoring(json!({"method": "sum", "items": [], "bands": [{"id": "b", "min": 0, "max": 2_147_483_648_u32}]})),
        alert(json!({"urgent": "yes"})),
        alert(json!({"operator": "!="})),
        alert(json!({"id": null})),
    ]
}

/// Stores a definition as a version of an instrument.
async fn store(connection: &mut PgConnection, version: &str, definition: &Value) -> sqlx::Result<Uuid> {
    sqlx::query_scalar(
        "INSERT INTO clinical.questionnaire_version (questionnaire_id, url, version, definition, sha256)
         VALUES ('any', 'https://example.org/any', $1, $2::jsonb, sha256(convert_to($2::jsonb::text, 'UTF8')))
         RETURNING questionnaire_version_id",
    )
    .bind(version)
    .bind(definition.to_string())
    .fetch_one(connection)
    .await
}

#[tokio::test]
async fn a_definition_that_no_reader_can_read_is_refused() -> anyhow::Result<()> {
    let database = Cluster::from_env()?.create_database().await?;
    let mut superuser = database.connect().await?;
    for definition in unreadable_definitions() {
        let refused = store(&mut superuser, "1.0", &definition).await.err();
        let code = refused.as_ref().and_then(sqlx::Error::as_database_error).and_then(sqlx::error::DatabaseError::code);
        assert_eq!(code.as_deref(), Some(BROKEN), "{definition}");
    }
    database.drop().await?;
    Ok(())
}

#[tokio::test]
async fn a_definition_that_is_let_in_can_be_read_and_answered() -> anyhow::Result<()> {
    let stack = Stack::start().await?;
    let client = stack.client();
    let token = client.login(PATIENT.login, PATIENT.pin).await?;
    let mut superuser = stack.database.connect().await?;
    let nested = (0..60).fold(json!([]), |inside, _| json!([inside]));
    let extreme = json!({"value": i64::MIN});
    let definitions = [
        definition(json!({"items": [], "scoring": null})),
        definition(json!({"scoring": {"method": "sum", "items": ["a", "b"],
                                      "bands": [{"id": "b", "min": i32::MIN, "max": i32::MAX}]}})),
        item(json!({"min": null, "max": 1e300, "max_length": null, "options": [extreme, {"value": i64::MAX}]})),
        item(json!({"enable_when": [{"link_id": "a", "operator": ">=", "answer": "x"}], "enable_behavior": "any"})),
        definition(json!({"note": nested, "alerts": []})),
    ];
    for (number, definition) in definitions.iter().enumerate() {
        let version = number.to_string();
        let version_id = store(&mut superuser, &version, definition).await?;
        let assignment_id: Uuid = sqlx::query_scalar(
            "INSERT INTO clinical.assignment (enrolment_id, questionnaire_version_id, schedule)
             SELECT enrolment_id, $2, 'event' FROM clinical.enrolment WHERE person_id = $1 RETURNING assignment_id",
        )
        .bind(PATIENT.id)
        .bind(version_id)
        .fetch_one(&mut superuser)
        .await?;
        let shown = seen(&client, &token, &format!("/v1/questionnaires/any/versions/{version}")).await?;
        assert_eq!(&shown["definition"], definition);
        let mut body = report(assignment_id);
        body["answers"] = json!({});
        client.submit(&token, &version, &body).await?.expect_status(201)?;
    }
    seen(&client, &token, "/v1/me/assignments").await?;
    stack.stop().await?;
    Ok(())
}

/// Sets every time that a reader sees to an extreme value that the constraints allow, with triggers off.
async fn move_times(stack: &Stack, to: &str) -> anyhow::Result<()> {
    let mut superuser = stack.database.connect().await?;
    let mut columns = BTreeMap::<&str, Vec<&str>>::new();
    for (table, column) in [
        ("study", "closed_at"),
        ("questionnaire_version", "retired_at"),
        ("report", "captured_at"),
        ("report", "received_at"),
        ("review", "recorded_at"),
        ("audit_event", "recorded_at"),
        ("notification", "created_at"),
        ("delivery_attempt", "recorded_at"),
    ] {
        columns.entry(table).or_default().push(column);
    }
    for (table, columns) in columns {
        let changes: Vec<_> = columns.iter().map(|column| format!("{column} = '{to}'")).collect();
        let statement = format!(
            "SET session_replication_role = replica; UPDATE clinical.{table} SET {}; RESET session_replication_role",
            changes.join(", ")
        );
        sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut superuser).await?;
    }
    sqlx::raw_sql(
        "SET session_replication_role = replica;
         UPDATE clinical.report SET captured_offset_seconds = 86340 * CASE WHEN captured_offset_seconds < 0 THEN 1 ELSE -1 END;
         UPDATE clinical.notification SET state = 'dead';
         RESET session_replication_role",
    )
    .execute(&mut superuser)
    .await?;
    Ok(())
}

#[tokio::test]
async fn the_first_and_the_last_time_that_are_let_in_can_be_read() -> anyhow::Result<()> {
    let stack = Stack::start().await?;
    let client = stack.client();
    let patient = client.login(PATIENT.login, PATIENT.pin).await?;
    let nurse = client.login(NURSE.login, NURSE.pin).await?;
    setup::windows_made(&stack).await?;
    let reviewed = submitted(&client, &patient, PATIENT).await?;
    client.review(&nurse, &reviewed, "approved").await?.expect_status(201)?;
    submitted(&client, &patient, PATIENT).await?;
    for to in ["0002-01-01T00:00Z", "9998-12-31T23:59:59.999999Z", "1969-12-31T23:59:59.999999Z"] {
        move_times(&stack, to).await?;
        let site = PATIENT.site;
        for (token, path) in [
            (&patient, "/v1/me/assignments".to_owned()),
            (&patient, "/v1/questionnaires/daily-symptom-diary/versions/1.0".to_owned()),
            (&patient, format!("/v1/reports/{reviewed}")),
            (&nurse, format!("/v1/reports/{reviewed}")),
            (&nurse, format!("/v1/reports/{reviewed}/audit")),
            (&nurse, format!("/v1/studies/{}", migrations::demo::STUDY)),
            (&nurse, format!("/v1/sites/{site}/notifications?state=dead")),
        ] {
            seen(&client, token, &path).await?;
        }
        // The cursor contains the time.
        let first = seen(&client, &patient, "/v1/reports?limit=1").await?;
        let cursor = first["next_cursor"].as_str().unwrap_or_default();
        let second = seen(&client, &patient, &format!("/v1/reports?limit=1&cursor={cursor}")).await?;
        assert_ne!(first["reports"][0]["report_id"], second["reports"][0]["report_id"]);
        assert_eq!(second["reports"].as_array().map(Vec::len), Some(1), "{to}");
    }
    stack.stop().await?;
    Ok(())
}
