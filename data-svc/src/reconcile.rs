//! Checks that a nurse was notified of every report, or that a notification is on its way.

use std::fmt;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use humantime_serde::re::humantime;
use service_kit::database::StoreError;
use telemetry::postgres::Db;

use crate::store::notification::{self, Stuck};
use crate::store::unnotified_report::{self, Found};

/// `data-svc reconcile`
#[derive(Debug, Args)]
pub struct Options {
    /// How long a notification may be due, with no worker holding its lease, before it counts as stuck.
    #[arg(long, default_value = "5m", value_parser = humantime::parse_duration)]
    stuck_after: Duration,
    /// How long a notification may be pending in all, however often it is postponed. Must be longer than notify-svc's
    /// `delivery.give_up_after`. At a site with quiet hours, notifications that are not urgent have one day more.
    #[arg(long, default_value = "25h", value_parser = humantime::parse_duration)]
    pending_after: Duration,
    /// How many of each kind are listed at most. Their total is always printed.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
}

/// The first entries of each kind. Each entry contains the total of its kind.
struct Findings {
    unnotified: Vec<Found>,
    stuck: Vec<Stuck>,
}

impl Findings {
    /// The totals of unnotified reports and of stuck notifications.
    fn totals(&self) -> [i64; 2] {
        let total = |first: Option<i64>| first.unwrap_or_default();
        [total(self.unnotified.first().map(|found| found.total)), total(self.stuck.first().map(|stuck| stuck.total))]
    }
}

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { unnotified, stuck } = self;
        let [reports, notifications] = self.totals();
        write!(f, "{reports} reports that nobody was told of, {notifications} stuck notifications")?;
        unnotified.iter().try_for_each(|found| write!(f, "\nreport {}", found.report_id))?;
        more(f, reports, unnotified.len(), "reports")?;
        stuck.iter().try_for_each(|stuck| write!(f, "\nnotification {} {}", stuck.notification_id, stuck.state))?;
        more(f, notifications, stuck.len(), "notifications")
    }
}

/// Writes how many are not listed, if any.
fn more(f: &mut fmt::Formatter<'_>, total: i64, listed: usize, what: &str) -> fmt::Result {
    match usize::try_from(total).unwrap_or_default().saturating_sub(listed) {
        0 => Ok(()),
        left => write!(f, "\nand {left} more {what}"),
    }
}

/// Prints the findings. Exits with 0 if there are none, else with 1. Unnotified reports are among them also when their site
/// has no nurses at all, because somebody has to know.
///
/// # Errors
/// When a query fails.
pub(crate) async fn run(db: &Db, options: Options) -> anyhow::Result<ExitCode> {
    let findings = find(db, &options).await.map_err(StoreError::from)?;
    println!("{findings}");
    let is_clean = findings.totals() == [0, 0];
    Ok(if is_clean { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn find(db: &Db, options: &Options) -> sqlx::Result<Findings> {
    let limit = options.limit.into();
    let unnotified = unnotified_report::survey(db, limit).await?;
    let stuck = notification::list_stuck(db, options.stuck_after, options.pending_after, limit).await?;
    Ok(Findings { unnotified, stuck })
}
