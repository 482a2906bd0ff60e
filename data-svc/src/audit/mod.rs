//! Makes the audit trail tamper-evident: seals over the heads of the chains, and a check of the whole trail.

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
    /// Checks the whole audit trail. Exits with 0 if it holds; else prints the first place where it does not, and exits
    /// with 1.
    Verify {
        /// A seal from the log of the service, which the database must still hold. May be given more than once.
        #[arg(long = "seal", value_name = "STUDY:SEQ:HASH")]
        seals: Vec<NotedSeal>,
        /// How long an event may wait for its seal. Must be longer than `audit.seal_every`.
        #[arg(long, default_value = "15m", value_parser = humantime::parse_duration)]
        unsealed_after: Duration,
    },
}

/// Runs a command with the service's own role.
///
/// # Errors
/// When a query fails.
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
