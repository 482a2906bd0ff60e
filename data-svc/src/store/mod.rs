//! One file per table, one function per statement.

pub(crate) mod alert;
pub(crate) mod assignment;
pub(crate) mod audit_chain;
pub(crate) mod audit_event;
pub(crate) mod audit_seal;
pub(crate) mod delivery_attempt;
pub(crate) mod enrolment;
pub(crate) mod fill_window;
pub(crate) mod idempotency;
pub(crate) mod notification;
pub(crate) mod questionnaire_version;
pub(crate) mod report;
pub(crate) mod review;
pub(crate) mod site;
pub(crate) mod study;
pub(crate) mod unnotified_report;

use sqlx::query;
use telemetry::postgres::Tx;

/// Makes a transaction read one snapshot of the database to its end. Must be its first statement.
pub(crate) async fn freeze(tx: &mut Tx<'_>) -> sqlx::Result<()> {
    query!("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY").execute(tx).await.map(drop)
}

/// Whether a statement failed because it violates this constraint.
pub(crate) fn breaks(error: &sqlx::Error, constraint: &str) -> bool {
    error.as_database_error().is_some_and(|error| error.constraint() == Some(constraint))
}
