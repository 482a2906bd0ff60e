//! Deletes expired rows in small batches, and loads new signing keys.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use service_kit::Shutdown;
use service_kit::database::StoreError;
use telemetry::Counter;
use telemetry::postgres::Db;

use crate::identity::{AccessTokens, Sessions};
use crate::store;

/// How many sessions, refresh tokens, activation codes and signing keys were deleted, by table.
static DELETED: Counter = Counter::new("epro.housekeeping.deleted", "{row}");

/// The `housekeeping:` block.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// The interval between two rounds.
    #[serde(with = "humantime_serde")]
    every: Duration,
    /// How long sessions and codes are kept after their end.
    #[serde(with = "humantime_serde")]
    keep: Duration,
    /// The most rows of one batch.
    batch: NonZeroU32,
    /// The most batches of one table in a round.
    batches: NonZeroU32,
}

/// Deletes expired rows. It runs in every copy of the service; each copy skips the rows that another has locked.
#[derive(Debug)]
pub(crate) struct Housekeeper {
    config: Config,
    refresh_grace: Duration,
    /// How long after a key's replacement a token signed with it may still be valid.
    last_token: Duration,
    tokens: Arc<AccessTokens>,
    db: Db,
}

/// The kinds of rows to delete, children before their parents.
#[derive(Debug, Clone, Copy)]
enum Chore {
    /// Seeds of used refresh tokens whose grace time is over: their successors are not derived again.
    Seeds,
    RefreshTokens,
    Sessions,
    Activations,
    SigningKeys,
}

impl Chore {
    const ALL: [Self; 5] = [Self::Seeds, Self::RefreshTokens, Self::Sessions, Self::Activations, Self::SigningKeys];

    fn table(self) -> &'static str {
        match self {
            Self::Seeds => "refresh_token_seed",
            Self::RefreshTokens => "refresh_token",
            Self::Sessions => "session",
            Self::Activations => "activation",
            Self::SigningKeys => "signing_key",
        }
    }
}

impl Housekeeper {
    pub(crate) fn new(config: Config, sessions: &Sessions, tokens: Arc<AccessTokens>, db: Db) -> anyhow::Result<Self> {
        anyhow::ensure!(!config.every.is_zero(), "housekeeping.every is zero");
        // Another copy signs with the old key until its own next round, and that is late when the database is slow.
        let last_token = sessions.access_token_lifetime.saturating_add(config.every.saturating_mul(3));
        Ok(Self { config, refresh_grace: sessions.refresh_grace, last_token, tokens, db })
    }

    /// Runs rounds until shutdown.
    pub(crate) async fn run(self, shutdown: Shutdown) -> anyhow::Result<()> {
        service_kit::every(self.config.every, &shutdown, || self.round()).await;
        Ok(())
    }

    async fn round(&self) {
        for chore in Chore::ALL {
            if let Err(error) = self.finish(chore).await {
                service_kit::note_failure(&StoreError::from(error));
            }
        }
        self.tokens.take_up_keys(&self.db).await.unwrap_or_else(|error| service_kit::note_failure(&error));
    }

    /// Deletes batch by batch, until nothing is left or the round's limit is reached. Each batch is a transaction of
    /// its own, so that row locks are held only briefly.
    async fn finish(&self, chore: Chore) -> sqlx::Result<()> {
        for _ in 0..self.config.batches.get() {
            let deleted = self.batch(chore).await?;
            if deleted > 0 {
                DELETED.add(deleted, &[(service_kit::attribute::HOUSEKEEPING_TABLE, chore.table())]);
            }
            if deleted < self.config.batch.get().into() {
                break;
            }
        }
        Ok(())
    }

    async fn batch(&self, chore: Chore) -> sqlx::Result<u64> {
        let Config { keep, batch, .. } = self.config;
        let most = i32::try_from(batch.get()).unwrap_or(i32::MAX);
        match chore {
            Chore::Seeds => store::refresh_token::erase_seeds(&self.db, self.refresh_grace, most).await,
            Chore::RefreshTokens => store::refresh_token::delete_ended(&self.db, keep, most).await,
            Chore::Sessions => store::session::delete_ended(&self.db, keep, most).await,
            Chore::Activations => store::activation::delete_over(&self.db, keep, most).await,
            Chore::SigningKeys => store::signing_key::delete_replaced(&self.db, self.last_token).await,
        }
    }
}
