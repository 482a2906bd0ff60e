use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use service_kit::Shutdown;
use tokio::time::{MissedTickBehavior, interval};

use crate::clients::Data;
use crate::delivery::Delivery;

/// Notifications looked at in one sweep.
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

/// Delivers what no hint has reached, and what a worker claimed and then died over.
#[derive(Debug)]
pub(crate) struct Sweeper {
    config: Config,
    data: Data,
    delivery: Arc<Delivery>,
}

impl Sweeper {
    pub(crate) fn new(config: Config, data: Data, delivery: Arc<Delivery>) -> anyhow::Result<Self> {
        anyhow::ensure!(!config.interval.is_zero(), "sweep.interval is zero");
        Ok(Self { config, data, delivery })
    }

    /// Sweeps until told to stop.
    pub(crate) async fn run(self, shutdown: Shutdown) -> anyhow::Result<()> {
        let mut ticks = interval(self.config.interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while shutdown.run_until_cancelled(ticks.tick()).await.is_some() {
            if shutdown.run_until_cancelled(self.sweep()).await.is_none() {
                break;
            }
        }
        Ok(())
    }

    async fn sweep(&self) {
        // The question belongs to no report, so it makes no spans; the deliveries join their reports' traces.
        let due = telemetry::unsampled(async {
            let due = self.data.list_due_notifications(self.config.overdue, BATCH).await;
            due.inspect_err(service_kit::note_failure)
        });
        // While data-svc is away there is nothing to do but to ask again.
        for report in due.await.unwrap_or_default() {
            let trace = report.traceparent.parse().ok();
            self.delivery.start_late(report.report_id, report.attempt, trace).await;
        }
    }
}
