//! What makes the audit trail show that it was touched: seals over the chains' heads, and the check of it all.

mod chain;
mod noted;
mod sealer;
mod verify;

use std::process::ExitCode;
use std::time::Duration;

use clap::Subcommand;
use service_kit::database;

use noted::NotedSeal;
use verify::Failure;

pub(crate) use sealer::{Config, Sealer};

/// How long one statement of the check may run: each one reads a whole table.
const STATEMENT_TIMEOUT: Duration = Duration::from_hours(1);

/// `data-svc audit ...`
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Checks the whole audit trail; exits 0 if it holds, 1 with the first place where it does not.
    Verify {
        /// A seal from the log, which must still be there. May be given more than once.
        #[arg(long = "seal", value_name = "STUDY:SEQ:HASH")]
        seals: Vec<NotedSeal>,
    },
}

/// Runs a command with the service's own role.
///
/// # Errors
/// When the database cannot be asked.
pub(crate) async fn run(database: &database::Config, command: Command) -> anyhow::Result<ExitCode> {
    let Command::Verify { seals } = command;
    let db = database::open(&database::Config { statement_timeout: STATEMENT_TIMEOUT, ..database.clone() })?;
    match verify::verify(&db, seals).await {
        Ok(tally) => println!("{tally}"),
        Err(Failure::Broken(broken)) => {
            println!("{broken}");
            return Ok(ExitCode::FAILURE);
        }
        Err(Failure::Store(error)) => return Err(error.into()),
    }
    Ok(ExitCode::SUCCESS)
}
