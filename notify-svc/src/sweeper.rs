use std::slice;
use std::sync::Arc;
use std::time::Duration;

use proto::data::Channel as ChannelId;
use serde::Deserialize;
use service_kit::Shutdown;
use tokio::time::{MissedTickBehavior, interval};

use crate::breaker::Circuit;
use crate::delivery::Delivery;

/// Notifications claimed at once.
const BATCH: u32 = 400;

/// The `sweep:` block.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// How often to look.
    #[serde(with = "humantime_serde")]
    interval: Duration,
    /// How long a notification waits for its hint.
    #[serde(with = "humantime_serde")]
    overdue: Duration,
}

/// Delivers what no hint has reached, what was put off, and what a worker claimed and then died over.
#[derive(Debug)]
pub(crate) struct Sweeper {
    config: Config,
    delivery: Arc<Delivery>,
}

impl Sweeper {
    pub(crate) fn new(config: Config, delivery: Arc<Delivery>) -> anyhow::Result<Self> {
        anyhow::ensure!(!config.interval.is_zero(), "sweep.interval is zero");
        Ok(Self { config, delivery })
    }

    /// How often it looks.
    pub(crate) fn interval(&self) -> Duration {
        self.config.interval
    }

    /// Sweeps until told to stop.
    pub(crate) async fn run(self, shutdown: Shutdown) -> anyhow::Result<()> {
        let mut ticks = interval(self.config.interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while shutdown.run_until_cancelled(ticks.tick()).await.is_some() {
            // Of what found no place in the queue nobody has to wait for a hint.
            let overdue = if self.delivery.take_overflow() { Duration::ZERO } else { self.config.overdue };
            while self.sweep(overdue, &shutdown).await {}
        }
        Ok(())
    }

    /// Claims what the providers are to be given; says whether another time may find more. They are looked at
    /// every time: one may fall ill, or be due for its one message, long before a backlog is worked off.
    async fn sweep(&self, overdue: Duration, shutdown: &Shutdown) -> bool {
        for channel in self.delivery.channels(Circuit::HalfOpen) {
            self.claim(overdue, slice::from_ref(&channel), Circuit::HalfOpen, 1, shutdown).await;
        }
        let channels = self.delivery.channels(Circuit::Closed);
        !channels.is_empty() && self.claim(overdue, &channels, Circuit::Closed, BATCH, shutdown).await
    }

    /// One claim; says whether another may find more. Only the wait for room can be cut short: a claim that
    /// is not waited for is leased for nothing.
    async fn claim(
        &self,
        overdue: Duration,
        channels: &[ChannelId],
        circuit: Circuit,
        limit: u32,
        shutdown: &Shutdown,
    ) -> bool {
        let Some(Some(permits)) = shutdown.run_until_cancelled(self.delivery.permits(limit)).await else {
            return false;
        };
        self.delivery.start_due(overdue, channels, circuit, permits).await
    }
}
