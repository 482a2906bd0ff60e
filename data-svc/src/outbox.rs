use std::time::Duration;

use serde::Deserialize;
use service_kit::Shutdown;
use service_kit::database::StoreError;
use telemetry::Gauge;
use telemetry::postgres::Db;

use crate::store;
use crate::store::notification::Backlog;

/// Notifications that have come to no end.
const DEPTH: Gauge = Gauge::new("epro.outbox.depth", "{notification}");

/// How long the one has been due that has been due longest.
const AGE: Gauge = Gauge::new("epro.outbox.age", "s");

/// The `outbox:` block.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// How often the outbox is measured, where metrics are sent.
    #[serde(with = "humantime_serde")]
    measure_every: Duration,
}

/// Measures the outbox. Every copy of the service does, and all say the same.
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

    /// Measures until told to stop.
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
