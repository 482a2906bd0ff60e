//! What makes the audit trail show that it was touched: seals over the chains' heads, and the check of it all.

mod chain;
mod noted;
mod sealer;
mod verify;

use std::process::ExitCode;
use std::time::Duration;

use clap::Subcommand;
use humantime_serde::re::humantime;
use telemetry::postgres::Db;

use noted::NotedSeal;
use verify::Failure;

pub(crate) use sealer::{Config, Sealer};

/// `data-svc audit ...`
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Checks the whole audit trail; exits 0 if it holds, 1 with the first place where it does not.
    Verify {
        /// A seal from the log, which must still be there. May be given more than once.
        #[arg(long = "seal", value_name = "STUDY:SEQ:HASH")]
        seals: Vec<NotedSeal>,
        /// How long an event may wait for its seal; longer than `audit.seal_every`.
        #[arg(long, default_value = "15m", value_parser = humantime::parse_duration)]
        unsealed_after: Duration,
    },
}

/// Runs a command with the service's own role.
///
/// # Errors
/// When the database cannot be asked.
pub(crate) async fn run(db: &Db, command: Command) -> anyhow::Result<ExitCode> {
    let Command::Verify { seals, unsealed_after } = command;
    match verify::verify(db, seals, unsealed_after).await {
        Ok(verified) => println!("{verified}"),
        Err(Failure::Broken(broken)) => {
            println!("{broken}");
            return Ok(ExitCode::FAILURE);
        }
        Err(Failure::Store(error)) => return Err(error.into()),
    }
    Ok(ExitCode::SUCCESS)
}
