//! Creates the windows of each scheduled assignment, once. Moves those that have not opened when the patient changes
//! the time zone.

use std::time::Duration;

use chrono::TimeDelta;
use serde::Deserialize;
use service_kit::Shutdown;
use service_kit::error::{DomainError, ErrorKind, Reason};
use telemetry::postgres::Db;
use uuid::Uuid;

use super::plan::{Plan, PlanError, Window};
use crate::error::DataError;
use crate::store;
use crate::store::assignment::Unmade;
use crate::store::fill_window::Columns;

/// Assignments read at a time.
const BATCH: u8 = 100;

/// The `schedule:` block.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// How often to look for assignments without windows, and for patients who have changed their time zone.
    #[serde(with = "humantime_serde")]
    materialise_every: Duration,
}

/// Creates the windows of assignments that have none, and moves those of patients who have changed their time zone.
/// Several copies of the service may do so at the same time.
#[derive(Debug)]
pub(crate) struct Materialiser {
    config: Config,
    db: Db,
}

/// An assignment that cannot have windows until its study is corrected.
#[derive(Debug, thiserror::Error)]
#[error("assignment {assignment_id} has no windows")]
struct Unplannable {
    assignment_id: Uuid,
    source: PlanError,
}

impl DomainError for Unplannable {
    fn reason(&self) -> Reason {
        Reason::Other(ErrorKind::Internal)
    }
}

impl Materialiser {
    pub(crate) fn new(config: Config, db: Db) -> anyhow::Result<Self> {
        anyhow::ensure!(!config.materialise_every.is_zero(), "schedule.materialise_every is zero");
        Ok(Self { config, db })
    }

    /// Creates and moves windows until shutdown.
    pub(crate) async fn run(self, shutdown: Shutdown) -> anyhow::Result<()> {
        service_kit::every(self.config.materialise_every, &shutdown, async || {
            // Not retried: the next round looks again.
            self.round().await.unwrap_or_else(|error| service_kit::note_failure(&error));
        })
        .await;
        Ok(())
    }

    /// Goes through all of them in the order of their ids, so that assignments that cannot have windows do not block
    /// the others.
    async fn round(&self) -> Result<(), DataError> {
        let mut after = Uuid::nil();
        loop {
            let batch = store::assignment::list_unmade(&self.db, after, i64::from(BATCH)).await?;
            for unmade in &batch {
                match self.make(unmade).await {
                    Err(error) if error.kind() == ErrorKind::Unavailable => return Err(error),
                    // One failure must not keep the others from getting their windows.
                    made => made.unwrap_or_else(|error| service_kit::note_failure(&error)),
                }
            }
            match batch.last() {
                Some(last) if batch.len() == usize::from(BATCH) => after = last.assignment_id,
                _ => return Ok(()),
            }
        }
    }

    async fn make(&self, unmade: &Unmade) -> Result<(), DataError> {
        let planned = plan_of(unmade).and_then(|plan| plan.windows()).and_then(|windows| match windows {
            windows if windows.is_empty() && !unmade.has_windows => Err(PlanError::NoWindow),
            windows => Ok(columns(&windows)),
        });
        let (assignment_id, time_zone) = (unmade.assignment_id, &unmade.time_zone);
        match planned {
            Ok(windows) if unmade.has_windows => {
                Ok(store::fill_window::move_unopened(&self.db, assignment_id, time_zone, &windows).await?)
            }
            Ok(windows) => Ok(store::fill_window::insert(&self.db, assignment_id, time_zone, &windows).await?),
            Err(source) => {
                service_kit::note_failure(&Unplannable { assignment_id, source });
                Ok(())
            }
        }
    }
}

fn plan_of(unmade: &Unmade) -> Result<Plan, PlanError> {
    Ok(Plan {
        baseline_date: unmade.baseline_date,
        time_zone: unmade.time_zone.clone(),
        first_day: unmade.first_day,
        every_days: unmade.every_days,
        windows: unmade.windows,
        opens: unmade.opens,
        closes: unmade.closes,
        sync_for: TimeDelta::try_seconds(unmade.sync_for).ok_or(PlanError::OutOfRange)?,
    })
}

fn columns(windows: &[Window]) -> Columns {
    Columns {
        seqs: windows.iter().map(|window| window.seq).collect(),
        opens_at: windows.iter().map(|window| window.opens_at).collect(),
        closes_at: windows.iter().map(|window| window.closes_at).collect(),
        sync_until: windows.iter().map(|window| window.sync_until).collect(),
    }
}
