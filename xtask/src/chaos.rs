//! `cargo xtask chaos`: kills one process after the other under a steady load, and judges what is left.

use std::time::Duration;

use anyhow::ensure;
use clap::Args;
use testkit::chaos::{self, Plan};

use crate::cargo::build_services;

#[derive(Args)]
pub(crate) struct Options {
    /// Processes killed: services and Postgres.
    #[arg(long, default_value_t = 50)]
    kills: usize,
    /// Decides about victims and moments.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Patients who submit one report after the other.
    #[arg(long, default_value_t = 4)]
    phones: usize,
    /// Switches notify-svc's sweeper off, so that only hints deliver: shows that the check turns red.
    #[arg(long)]
    without_sweeper: bool,
}

pub(crate) async fn run(options: Options) -> anyhow::Result<()> {
    build_services().await?;
    let plan = Plan {
        kills: options.kills,
        seed: options.seed,
        phones: options.phones,
        sweeper: !options.without_sweeper,
        settle: Duration::from_mins(1),
    };
    eprintln!("killing {} processes ...", plan.kills);
    let verdict = tokio::select! {
        verdict = chaos::run(&plan) => verdict?,
        _ = tokio::signal::ctrl_c() => anyhow::bail!("interrupted"),
    };
    println!("{verdict}");
    ensure!(verdict.is_good(), "the stack has not kept its promises (seed {})", plan.seed);
    Ok(())
}
