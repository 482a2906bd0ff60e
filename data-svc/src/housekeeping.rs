//! Deletes expired idempotency keys.

use std::time::Duration;

use serde::Deserialize;
use service_kit::Shutdown;
use service_kit::database::StoreError;
use telemetry::Counter;
use telemetry::postgres::Db;

use crate::store;

/// Idempotency keys that were deleted because they had expired.
static DELETED: Counter = Counter::new("epro.idempotency.deleted", "{key}");

/// Keys that one statement deletes. Few, so that the statement is short.
const BATCH: u16 = 1_000;

/// Most statements in one round. What is left then waits for the next round.
const BATCHES: u8 = 60;

/// The `idempotency:` block.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// How long a key is kept. It is kept longer while the window of its report still takes reports.
    #[serde(with = "humantime_serde")]
    keep_for: Duration,
    /// How often expired keys are deleted.
    #[serde(with = "humantime_serde")]
    delete_every: Duration,
}

/// Deletes expired idempotency keys. Several copies of the service may do so at the same time.
#[derive(Debug)]
pub(crate) struct Housekeeper {
    config: Config,
    db: Db,
}

impl Housekeeper {
    pub(crate) fn new(config: Config, db: Db) -> anyhow::Result<Self> {
        anyhow::ensure!(!config.keep_for.is_zero(), "idempotency.keep_for is zero");
        anyhow::ensure!(!config.delete_every.is_zero(), "idempotency.delete_every is zero");
        Ok(Self { config, db })
    }

    /// Deletes until shutdown.
    pub(crate) async fn run(self, shutdown: Shutdown) -> anyhow::Result<()> {
        service_kit::every(self.config.delete_every, &shutdown, async || {
            // Not retried: the next round deletes these keys too.
            self.round().await.unwrap_or_else(|error| service_kit::note_failure(&error));
        })
        .await;
        Ok(())
    }

    async fn round(&self) -> Result<(), StoreError> {
        for _ in 0..BATCHES {
            let deleted = store::idempotency::delete_expired(&self.db, self.config.keep_for, BATCH.into()).await?;
            DELETED.add(deleted, &[]);
            if deleted < BATCH.into() {
                break;
            }
        }
        Ok(())
    }
}
