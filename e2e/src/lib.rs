//! What the end-to-end tests share: people of the demo study, and a look into the database.

use std::time::Duration;

use migrations::demo::{NURSES, Nurse, PATIENTS, Patient};
use sqlx::Row;
use testkit::stack::{Builder, Service, Stack};
use testkit::trace::Trace;

/// Longer than anything here should take; a test that waits that long has failed.
pub const DEADLINE: Duration = Duration::from_mins(1);

/// Nurses at every site of the demo study.
pub const NURSES_PER_SITE: usize = 2;

/// A patient in Berlin.
pub const PATIENT: &Patient = &PATIENTS[0];

/// A nurse in Berlin.
pub const NURSE: &Nurse = &NURSES[0];

/// A nurse in Boston, who has nothing to do with [`PATIENT`].
pub const OTHER_NURSE: &Nurse = &NURSES[2];

/// A stack that has all the time in the world, for tests of what happens and not of how fast: on a
/// machine that is busy otherwise its limits would be tested as well.
pub fn unhurried() -> Builder {
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
    // Nor is the sweeper to be faster than a slow hint.
    let builder = Stack::builder().env(Service::NotifySvc, "EPRO_SWEEP__OVERDUE", "1h");
    limits.into_iter().fold(builder, |builder, (service, name)| builder.env(service, name, LIMIT))
}

/// How many rows there are of what a submission writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rows {
    pub reports: i64,
    pub keys: i64,
    pub audit_events: i64,
    pub notifications: i64,
    pub delivered: i64,
    pub attempts: i64,
}

/// Counts them.
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

/// Whether a trace has its root, every parent, and the span that a test is about. Services send their
/// spans on their own, so that a root may arrive first.
pub fn is_whole(trace: &Trace, name: &str) -> bool {
    trace.roots().len() == 1 && trace.orphans().is_empty() && !trace.named(name).is_empty()
}
