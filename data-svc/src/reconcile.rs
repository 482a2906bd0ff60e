//! Whether every accepted report has been told, or is on its way to be.

use std::fmt;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use humantime_serde::re::humantime;
use service_kit::database::StoreError;
use telemetry::postgres::Db;
use uuid::Uuid;

use crate::store::notification::{self, Stuck};

/// `data-svc reconcile`
#[derive(Debug, Args)]
pub struct Options {
    /// How long a notification may be due and held by nobody before it counts as stuck.
    #[arg(long, default_value = "5m", value_parser = humantime::parse_duration)]
    stuck_after: Duration,
    /// How long a notification may be pending at all, however often it is put off; longer than notify-svc's
    /// `delivery.give_up_after`. A site with quiet hours has a day more for what is not urgent.
    #[arg(long, default_value = "25h", value_parser = humantime::parse_duration)]
    pending_after: Duration,
}

/// What does not add up.
struct Findings {
    untold_reports: Vec<Uuid>,
    stuck: Vec<Stuck>,
}

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { untold_reports, stuck } = self;
        write!(f, "{} reports without notifications, {} stuck notifications", untold_reports.len(), stuck.len())?;
        untold_reports.iter().try_for_each(|report_id| write!(f, "\nreport {report_id}"))?;
        stuck.iter().try_for_each(|stuck| write!(f, "\nnotification {} {}", stuck.notification_id, stuck.state))
    }
}

/// Prints what does not add up; exits 0 if nothing does, else 1. A report of a site without nurses is among
/// it: nobody was told, and somebody has to know.
///
/// # Errors
/// When the database cannot be asked.
pub(crate) async fn run(db: &Db, options: Options) -> anyhow::Result<ExitCode> {
    let findings = find(db, &options).await.map_err(StoreError::from)?;
    println!("{findings}");
    let is_clean = findings.untold_reports.is_empty() && findings.stuck.is_empty();
    Ok(if is_clean { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn find(db: &Db, options: &Options) -> sqlx::Result<Findings> {
    let untold_reports = notification::reports_without(db).await?;
    let stuck = notification::list_stuck(db, options.stuck_after, options.pending_after).await?;
    Ok(Findings { untold_reports, stuck })
}
