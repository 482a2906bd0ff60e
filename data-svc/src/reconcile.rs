//! Whether every accepted report has been told, or is on its way to be.

use std::fmt;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use humantime_serde::re::humantime;
use service_kit::database::StoreError;
use telemetry::postgres::Db;

use crate::store::notification::{self, Stuck};
use crate::store::untold_report::{self, Found};

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
    /// How many of each are listed at most; how many there are is said always.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
}

/// What does not add up: the first of each, which know how many there are.
struct Findings {
    untold: Vec<Found>,
    stuck: Vec<Stuck>,
}

impl Findings {
    /// How many there are in all.
    fn totals(&self) -> [i64; 2] {
        let total = |first: Option<i64>| first.unwrap_or_default();
        [total(self.untold.first().map(|found| found.total)), total(self.stuck.first().map(|stuck| stuck.total))]
    }
}

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { untold, stuck } = self;
        let [reports, notifications] = self.totals();
        write!(f, "{reports} reports that nobody was told of, {notifications} stuck notifications")?;
        untold.iter().try_for_each(|found| write!(f, "\nreport {}", found.report_id))?;
        more(f, reports, untold.len(), "reports")?;
        stuck.iter().try_for_each(|stuck| write!(f, "\nnotification {} {}", stuck.notification_id, stuck.state))?;
        more(f, notifications, stuck.len(), "notifications")
    }
}

/// Says how many are not listed, if any.
fn more(f: &mut fmt::Formatter<'_>, total: i64, listed: usize, what: &str) -> fmt::Result {
    match usize::try_from(total).unwrap_or_default().saturating_sub(listed) {
        0 => Ok(()),
        left => write!(f, "\nand {left} more {what}"),
    }
}

/// Prints what does not add up; exits 0 if nothing does, else 1. A report that nobody was told of is among it, be it
/// that its site has no nurses or that no message to one of them arrived: somebody has to know.
///
/// # Errors
/// When the database cannot be asked.
pub(crate) async fn run(db: &Db, options: Options) -> anyhow::Result<ExitCode> {
    let findings = find(db, &options).await.map_err(StoreError::from)?;
    println!("{findings}");
    let is_clean = findings.totals() == [0, 0];
    Ok(if is_clean { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn find(db: &Db, options: &Options) -> sqlx::Result<Findings> {
    let limit = options.limit.into();
    let untold = untold_report::survey(db, limit).await?;
    let stuck = notification::list_stuck(db, options.stuck_after, options.pending_after, limit).await?;
    Ok(Findings { untold, stuck })
}
