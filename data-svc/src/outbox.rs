//! The transactional outbox: notifications are stored in the transaction of their report, and the backlog is measured.

use std::time::Duration;

use serde::Deserialize;
use service_kit::Shutdown;
use service_kit::database::StoreError;
use telemetry::postgres::{Db, Tx};
use telemetry::{Gauge, Message, Task};
use uuid::Uuid;

use crate::quiet_hours::QuietHours;
use crate::store;
use crate::store::notification::Backlog;

/// Puts one notification per recipient and channel into the outbox, in the transaction that stores the report.
/// Notifications that are not urgent wait for the end of the site's quiet hours.
pub(crate) async fn enqueue(
    tx: &mut Tx<'_>,
    report_id: Uuid,
    enrolment_id: Uuid,
    recipients: &[Uuid],
    urgent: bool,
) -> sqlx::Result<()> {
    let inserted = store::notification::insert(tx, report_id, enrolment_id, recipients, urgent);
    let Some(first) = create(report_id).run(inserted).await? else { return Ok(()) };
    let quiet_hours = first.quiet_hours.as_deref().and_then(QuietHours::parse);
    match quiet_hours.and_then(|hours| hours.end(first.due_at)) {
        Some(end) => store::notification::put_off(tx, report_id, end).await,
        None => Ok(()),
    }
}

/// Puts notifications of an unnotified report into the outbox. Returns how many nurses have one now and had none before.
/// `recipients` and `site_ids` have the same length: each nurse and the site where she works.
pub(crate) async fn escalate(db: &Db, report_id: Uuid, recipients: &[Uuid], site_ids: &[Uuid]) -> sqlx::Result<usize> {
    create(report_id).run(store::notification::insert_escalated(db, report_id, recipients, site_ids)).await
}

/// The notifications of one report are one message. Its destination has the name of the outbox table.
fn create(report_id: Uuid) -> Task {
    let message = Message { system: "postgresql", destination: "clinical.notification", id: report_id.to_string() };
    Task::create("create notification", message)
}

/// Pending notifications.
const DEPTH: Gauge = Gauge::new("epro.outbox.depth", "{notification}");

/// How long the oldest pending notification has been due.
const AGE: Gauge = Gauge::new("epro.outbox.age", "s");

/// The `outbox:` block.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// How often the outbox is measured. It is measured only when metrics are exported.
    #[serde(with = "humantime_serde")]
    measure_every: Duration,
}

/// Measures the outbox. Every copy of the service does so, and all report the same values.
#[derive(Debug)]
pub(crate) struct Meter {
    every: Duration,
    db: Db,
}

impl Meter {
    pub(crate) fn new(config: Config, db: Db) -> anyhow::Result<Self> {
        anyhow::ensure!(!config.measure_every.is_zero(), "outbox.measure_every is zero");
        Ok(Self { every: config.measure_every, db })
    }

    /// Measures until shutdown.
    pub(crate) async fn run(self, shutdown: Shutdown) -> anyhow::Result<()> {
        service_kit::every(self.every, &shutdown, || self.measure()).await;
        Ok(())
    }

    async fn measure(&self) {
        if !DEPTH.is_recorded() {
            return;
        }
        match store::notification::backlog(&self.db).await {
            Ok(Backlog { depth, age }) => {
                DEPTH.record(depth, &[]);
                AGE.record(age, &[]);
            }
            Err(error) => service_kit::note_failure(&StoreError::from(error)),
        }
    }
}
