use std::slice;
use std::sync::Arc;
use std::time::Duration;

use proto::data::Channel;
use serde::Deserialize;
use service_kit::{Shutdown, catch_panic};
use tokio::time::{MissedTickBehavior, interval};

use crate::breaker::Circuit;
use crate::delivery::Delivery;

/// Most notifications that are claimed at once.
const BATCH: u32 = 400;

/// The `sweep:` block.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// How often to look.
    #[serde(with = "humantime_serde")]
    interval: Duration,
    /// How long a notification waits for its hint before the sweeper takes it.
    #[serde(with = "humantime_serde")]
    overdue: Duration,
}

/// Polls the outbox: delivers notifications without a hint, postponed ones, and those whose worker has crashed.
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

    /// Sweeps until shutdown.
    pub(crate) async fn run(self, shutdown: Shutdown) -> anyhow::Result<()> {
        let mut ticks = interval(self.config.interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while shutdown.run_until_cancelled(ticks.tick()).await.is_some() {
            // A hint was dropped because the queue was full, so the sweeper takes the notifications without waiting for
            // hints.
            let overdue = if self.delivery.take_overflow() { Duration::ZERO } else { self.config.overdue };
            while catch_panic(self.sweep(overdue, &shutdown)).await.unwrap_or_default() {}
        }
        Ok(())
    }

    /// Claims what the providers may get now. Returns whether another sweep may find more. The circuits are read in
    /// every sweep, because a provider may fail, or be due for its probe, long before a backlog is done.
    async fn sweep(&self, overdue: Duration, shutdown: &Shutdown) -> bool {
        for channel in self.delivery.channels(Circuit::HalfOpen) {
            self.claim(overdue, slice::from_ref(&channel), Circuit::HalfOpen, 1, shutdown).await;
        }
        let channels = self.delivery.channels(Circuit::Closed);
        !channels.is_empty() && self.claim(overdue, &channels, Circuit::Closed, BATCH, shutdown).await
    }

    /// Claims once. Returns whether another claim may find more. At shutdown only the wait for permits is cut short: if
    /// a claim were cancelled, its leases would be held for nothing.
    async fn claim(
        &self,
        overdue: Duration,
        channels: &[Channel],
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
