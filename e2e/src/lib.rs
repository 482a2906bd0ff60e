//! Shared by the end-to-end tests: people of the demo study, and queries on the database.

pub mod setup;

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, ensure};
use migrations::demo::{NURSES, Nurse, PATIENTS, Patient};
use serde_json::{Value, json};
use sqlx::Row;
use testkit::client::{Client, Response, Token};
use testkit::poll;
use testkit::stack::{Builder, Service, Stack};
use testkit::trace::Trace;

/// Longer than anything here should take. A test that waits this long has failed.
pub const DEADLINE: Duration = Duration::from_mins(1);

/// Nurses at every site of the demo study.
pub const NURSES_PER_SITE: usize = 2;

/// A patient in Berlin.
pub const PATIENT: &Patient = &PATIENTS[0];

/// Another patient in Berlin.
pub const NEIGHBOUR: &Patient = &PATIENTS[1];

/// A nurse in Berlin.
pub const NURSE: &Nurse = &NURSES[0];

/// A nurse in Boston, who has no access to [`PATIENT`].
pub const OTHER_NURSE: &Nurse = &NURSES[2];

/// A stack with very long timeouts, for tests of behaviour and not of speed. On a busy machine the usual timeouts would
/// be reached.
pub fn with_long_timeouts() -> Builder {
    const LIMIT: &str = "25s";
    let limits = [
        (Service::Gateway, "EPRO_REQUEST_TIMEOUT"),
        (Service::Gateway, "EPRO_USER_SVC__TIMEOUT"),
        (Service::Gateway, "EPRO_EPRO_SVC__TIMEOUT"),
        (Service::UserSvc, "EPRO_DATABASE__ACQUIRE_TIMEOUT"),
        (Service::UserSvc, "EPRO_DATABASE__STATEMENT_TIMEOUT"),
        (Service::EproSvc, "EPRO_DATA_SVC__TIMEOUT"),
        (Service::EproSvc, "EPRO_NOTIFY_SVC__TIMEOUT"),
        (Service::DataSvc, "EPRO_DATABASE__ACQUIRE_TIMEOUT"),
        (Service::DataSvc, "EPRO_DATABASE__STATEMENT_TIMEOUT"),
        (Service::NotifySvc, "EPRO_DATA_SVC__TIMEOUT"),
        (Service::NotifySvc, "EPRO_USER_SVC__TIMEOUT"),
        (Service::NotifySvc, "EPRO_SMS__TIMEOUT"),
        (Service::NotifySvc, "EPRO_SMTP__TIMEOUT"),
    ];
    // The sweep must not be earlier than a slow hint.
    let builder = Stack::builder().env(Service::NotifySvc, "EPRO_SWEEP__OVERDUE", "1h").env(
        Service::NotifySvc,
        "EPRO_DELIVERY__LEASE",
        "5m",
    );
    limits.into_iter().fold(builder, |builder, (service, name)| builder.env(service, name, LIMIT))
}

/// The number of rows in the tables that a submission writes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rows {
    pub reports: i64,
    pub keys: i64,
    pub audit_events: i64,
    pub notifications: i64,
    pub delivered: i64,
    pub attempts: i64,
}

/// Counts the rows.
///
/// # Errors
/// When the database cannot be reached.
pub async fn rows(stack: &Stack) -> anyhow::Result<Rows> {
    let row = sqlx::query(
        "SELECT (SELECT count(*) FROM clinical.report),
                (SELECT count(*) FROM clinical.idempotency),
                (SELECT count(*) FROM clinical.audit_event),
                (SELECT count(*) FROM clinical.notification),
                (SELECT count(*) FROM clinical.notification WHERE state = 'delivered'),
                (SELECT count(*) FROM clinical.delivery_attempt)",
    )
    .fetch_one(&mut stack.database.connect().await?)
    .await?;
    Ok(Rows {
        reports: row.try_get(0)?,
        keys: row.try_get(1)?,
        audit_events: row.try_get(2)?,
        notifications: row.try_get(3)?,
        delivered: row.try_get(4)?,
        attempts: row.try_get(5)?,
    })
}

/// The number of rows in each table of the schema `clinical`, without those that data-svc fills by itself.
///
/// # Errors
/// When the database cannot be reached.
pub async fn clinical_rows(stack: &Stack) -> anyhow::Result<BTreeMap<String, i64>> {
    let counts: Vec<(String, i64)> = sqlx::query_as(
        "SELECT relname::text,
                (xpath('/row/count/text()',
                       query_to_xml(format('SELECT count(*) FROM clinical.%I', relname), false, true, '')))[1]::text::bigint
         FROM pg_class WHERE relnamespace = 'clinical'::regnamespace AND relkind IN ('r', 'p')
           AND relname NOT IN ('fill_window', 'audit_seal', 'audit_seal_head')",
    )
    .fetch_all(&mut stack.database.connect().await?)
    .await?;
    Ok(counts.into_iter().collect())
}

/// The body of an error, after checking that the answer has everything that clients rely on.
///
/// # Errors
/// When something is missing or wrong. The message shows the answer.
pub fn problem(answer: &Response, status: u16, name: &str) -> anyhow::Result<Value> {
    let body = answer.json();
    let shown = || format!("{} {:?} {}", answer.status, answer.headers, String::from_utf8_lossy(&answer.body));
    ensure!(answer.status == status, "not {status}: {}", shown());
    ensure!(body["type"] == format!("/problems/{name}"), "not {name}: {}", shown());
    ensure!(answer.header("content-type") == Some("application/problem+json"), "no problem details: {}", shown());
    ensure!(body["status"] == status, "another status in the body: {}", shown());
    for member in ["title", "detail", "instance"] {
        ensure!(body[member].as_str().is_some_and(|text| !text.is_empty()), "no {member}: {}", shown());
    }
    ensure!(body["trace_id"].is_string(), "no trace id: {}", shown());
    ensure!(body["trace_id"].as_str() == answer.trace_id().as_deref(), "another trace id: {}", shown());
    ensure!(answer.header("cache-control") == Some("no-store"), "a cache may keep it: {}", shown());
    ensure!(status != 401 || answer.header("www-authenticate") == Some("Bearer"), "no challenge: {}", shown());
    Ok(body)
}

/// The broken rules in an error, in order.
pub fn codes(problem: &Value) -> Vec<&str> {
    problem["errors"].as_array().into_iter().flatten().filter_map(|error| error["code"].as_str()).collect()
}

/// Submits a valid diary and returns its id.
///
/// # Errors
/// When it is not stored.
pub async fn submitted(client: &Client, token: &Token, patient: &Patient) -> anyhow::Result<String> {
    client.submit_new(token, patient.assignment).await?.expect_status(201)?.text("report_id")
}

/// A valid amendment of [`testkit::client::report`].
pub fn amendment() -> Value {
    json!({"answers": {"pain": 3, "rescue": false}, "reason": "I mixed up two days."})
}

/// The body of a successful read.
///
/// # Errors
/// When the read fails.
pub async fn seen(client: &Client, token: &Token, path: &str) -> anyhow::Result<Value> {
    let answer = client.get(path, Some(token)).await.with_context(|| path.to_owned())?;
    Ok(answer.expect_status(200).with_context(|| path.to_owned())?.json())
}

/// Whether a trace has its root, all parents, and a span with this name. Services export separately, so a root may
/// arrive before other spans.
pub fn is_whole(trace: &Trace, name: &str) -> bool {
    trace.roots().len() == 1 && trace.orphans().is_empty() && !trace.named(name).is_empty()
}

/// Waits until this many statements of the stack wait for a lock.
pub async fn waiting(stack: &Stack, statements: i64) -> anyhow::Result<()> {
    let mut database = stack.database.connect().await?;
    let count = async || {
        let waiting = sqlx::query_scalar(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'",
        );
        Ok(waiting.fetch_one(&mut database).await?)
    };
    let found: i64 = poll::until(DEADLINE, count, |count| *count == statements).await?;
    anyhow::ensure!(found == statements, "{found} statements wait instead of {statements}");
    Ok(())
}
