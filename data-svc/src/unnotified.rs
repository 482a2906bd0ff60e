//! Unnotified reports, of which no nurse was notified: finds them, logs a warning, counts them, and records them for
//! escalation.

use std::time::Duration;

use serde::Deserialize;
use service_kit::Shutdown;
use service_kit::attribute::REPORT_URGENT;
use service_kit::database::StoreError;
use sqlx::PgExecutor;
use telemetry::Counter;
use telemetry::postgres::{Db, Tx};
use uuid::Uuid;

use crate::store::unnotified_report::{self, Unnotified};

/// Unnotified reports, each counted when it is found.
static UNNOTIFIED: Counter = Counter::new("epro.report.unnotified", "{report}");

/// Most reports that are checked together.
const BATCH: i64 = 1000;

/// The `unnotified:` block.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// How often to look for unnotified reports that were overlooked because the process that should have recorded them
    /// crashed.
    #[serde(with = "humantime_serde")]
    look_every: Duration,
}

/// Records those of the reports that are unnotified, and announces those that are newly found.
pub(crate) async fn record(executor: impl PgExecutor<'_>, report_ids: &[Uuid]) -> Result<(), StoreError> {
    announce(&unnotified_report::record(executor, report_ids).await?);
    Ok(())
}

/// Records a report that is being stored, if it has no recipients. Call [`announce`] after the commit.
pub(crate) async fn record_if(nobody: bool, tx: &mut Tx<'_>, report_id: Uuid) -> Result<Vec<Unnotified>, StoreError> {
    if nobody { Ok(unnotified_report::record(tx, &[report_id]).await?) } else { Ok(Vec::new()) }
}

/// Counts and logs unnotified reports.
pub(crate) fn announce(found: &[Unnotified]) {
    for Unnotified { report_id, urgent } in found {
        UNNOTIFIED.add(1, &[(REPORT_URGENT, if *urgent { "true" } else { "false" })]);
        telemetry::warn!(%report_id, urgent, "nobody is told of this report");
    }
}

/// Finds unnotified reports that were overlooked. Every copy of the service does so.
#[derive(Debug)]
pub(crate) struct Finder {
    every: Duration,
    db: Db,
}

impl Finder {
    pub(crate) fn new(config: Config, db: Db) -> anyhow::Result<Self> {
        anyhow::ensure!(!config.look_every.is_zero(), "unnotified.look_every is zero");
        Ok(Self { every: config.look_every, db })
    }

    /// Looks until shutdown.
    pub(crate) async fn run(self, shutdown: Shutdown) -> anyhow::Result<()> {
        service_kit::every(self.every, &shutdown, || self.look()).await;
        Ok(())
    }

    async fn look(&self) {
        let looked = async {
            let overlooked = unnotified_report::overlooked(&self.db, BATCH).await?;
            if overlooked.is_empty() { Ok(()) } else { record(&self.db, &overlooked).await }
        };
        if let Err(error) = looked.await {
            service_kit::note_failure::<StoreError>(&error);
        }
    }
}
