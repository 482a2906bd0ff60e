//! What staff do on the command line.

use std::process::ExitCode;
use std::time::Duration;

use clap::Subcommand;
use humantime_serde::re::humantime;
use telemetry::postgres::Db;

use crate::error::UserError;
use crate::identity::ActivationCode;
use crate::store;
use crate::store::audit_event::Action;

/// The service's own commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// The codes that let a person choose a PIN.
    #[command(subcommand)]
    Activation(Activation),
}

/// What can be done with activation codes.
#[derive(Debug, Subcommand)]
pub enum Activation {
    /// Prints a new code for a person, once: only its hash is kept. It replaces one that was not used.
    Issue {
        /// The person's login.
        #[arg(long)]
        login: String,
        /// How long the code can be used, such as `36h`.
        #[arg(long, default_value = "7d", value_parser = humantime::parse_duration)]
        valid_for: Duration,
    },
}

impl Command {
    pub(crate) async fn run(self, db: &Db) -> anyhow::Result<ExitCode> {
        let Self::Activation(Activation::Issue { login, valid_for }) = self;
        let code = ActivationCode::random()?;
        if !issue(db, &login, &code, valid_for).await? {
            eprintln!("no active person has this login");
            return Ok(ExitCode::FAILURE);
        }
        println!("{}", code.reveal());
        Ok(ExitCode::SUCCESS)
    }
}

/// False when no active person has the login.
async fn issue(db: &Db, login: &str, code: &ActivationCode, valid_for: Duration) -> Result<bool, UserError> {
    let mut tx = db.begin().await?;
    let Some(person_id) = store::credential::hold(&mut tx, login).await? else { return Ok(false) };
    store::activation::spend_all(&mut tx, person_id).await?;
    store::activation::insert(&mut tx, &code.digest(), person_id, valid_for).await?;
    store::audit_event::insert(&mut tx, person_id, Action::ActivationIssued).await?;
    tx.commit().await?;
    Ok(true)
}
