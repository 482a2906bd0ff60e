//! `cargo xtask chaos`: kills and partitions processes under a steady load, and judges the result.

use std::time::Duration;

use anyhow::ensure;
use clap::Args;
use testkit::chaos::{self, Plan};

use crate::cargo::build_services;

#[derive(Args)]
pub(crate) struct Options {
    /// The number of faults: a service or Postgres is killed, or a network connection goes silent.
    #[arg(long, default_value_t = 50)]
    faults: usize,
    /// Decides which faults happen, and when. The default is the date, such as 20251231.
    #[arg(long)]
    seed: Option<u64>,
    /// Patients who submit one report after the other.
    #[arg(long, default_value_t = 4)]
    phones: usize,
    /// Turns notify-svc's sweeper off, so that only hints deliver. Then the check must fail.
    #[arg(long)]
    without_sweeper: bool,
}

pub(crate) async fn run(options: Options) -> anyhow::Result<()> {
    build_services().await?;
    let plan = Plan {
        faults: options.faults,
        seed: options.seed.map_or_else(today, Ok)?,
        phones: options.phones,
        sweeper: !options.without_sweeper,
        recovery: Duration::from_secs(15),
        settle: Duration::from_mins(1),
    };
    eprintln!("{} faults, seed {} ...", plan.faults, plan.seed);
    let verdict = tokio::select! {
        verdict = chaos::run(&plan) => verdict?,
        _ = tokio::signal::ctrl_c() => anyhow::bail!("interrupted"),
    };
    println!("{verdict}");
    ensure!(verdict.is_good(), "the stack has not kept its promises (seed {})", plan.seed);
    Ok(())
}

fn today() -> anyhow::Result<u64> {
    Ok(chrono::Utc::now().format("%Y%m%d").to_string().parse()?)
}
