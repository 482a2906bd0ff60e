use std::time::Duration;

use serde::Deserialize;
use service_kit::Shutdown;
use service_kit::database::StoreError;
use telemetry::Gauge;
use telemetry::postgres::Db;

use crate::store;

/// Age of the oldest event that has no seal yet.
const WAIT: Gauge = Gauge::new("epro.audit.unsealed.age", "s");

/// The `audit:` block.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// How often the heads of the chains are sealed.
    #[serde(with = "humantime_serde")]
    seal_every: Duration,
}

/// Seals what was added to the audit trail. Every copy of the service tries this; one of them succeeds each time.
#[derive(Debug)]
pub(crate) struct Sealer {
    every: Duration,
    db: Db,
}

impl Sealer {
    pub(crate) fn new(config: &Config, db: Db) -> anyhow::Result<Self> {
        anyhow::ensure!(!config.seal_every.is_zero(), "audit.seal_every is zero");
        Ok(Self { every: config.seal_every, db })
    }

    /// Seals until shutdown.
    pub(crate) async fn run(self, shutdown: Shutdown) -> anyhow::Result<()> {
        service_kit::every(self.every, &shutdown, || self.seal()).await;
        Ok(())
    }

    async fn seal(&self) {
        match store::audit_seal::seal(&self.db).await {
            // The log is kept outside the database: somebody who rewrites the database cannot rewrite these lines.
            Ok(seals) => seals.iter().for_each(|seal| {
                telemetry::info!(study_id = %seal.study_id, seq = seal.seq, hash = seal.hash, "audit trail sealed");
            }),
            // Not retried: the next round seals these events too.
            Err(error) => service_kit::note_failure(&StoreError::from(error)),
        }
        if !WAIT.is_recorded() {
            return;
        }
        match store::audit_seal::longest_wait(&self.db).await {
            Ok(seconds) => WAIT.record(seconds, &[]),
            Err(error) => service_kit::note_failure(&StoreError::from(error)),
        }
    }
}
