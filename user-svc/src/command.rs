//! The service's command-line commands for staff.

use std::process::ExitCode;
use std::time::Duration;

use clap::Subcommand;
use humantime_serde::re::humantime;
use telemetry::postgres::Db;

use crate::error::UserError;
use crate::identity::{ActivationCode, rotate_signing_key};
use crate::store;
use crate::store::audit_event::Action;

/// The service's own commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// The codes that let a person choose a PIN.
    #[command(subcommand)]
    Activation(Activation),
    /// The keys that access tokens are signed with.
    #[command(subcommand)]
    SigningKey(SigningKey),
}

/// Commands for signing keys.
#[derive(Debug, Subcommand)]
pub enum SigningKey {
    /// Makes a new key and prints its id. Every copy of the service signs with it from its next round of housekeeping
    /// on. The old keys are deleted when all tokens that they have signed have expired.
    Rotate {
        /// Delete the old keys at once, because they were stolen. All access tokens become invalid; clients get a new
        /// one with their refresh token.
        #[arg(long)]
        distrust_old: bool,
    },
}

/// Commands for activation codes.
#[derive(Debug, Subcommand)]
pub enum Activation {
    /// Prints a new code for a person. It cannot be shown again, because only its hash is stored. It replaces an unused
    /// code.
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
        match self {
            Self::Activation(Activation::Issue { login, valid_for }) => {
                let code = ActivationCode::random()?;
                if !issue(db, &login, &code, valid_for).await? {
                    eprintln!("no active person has this login");
                    return Ok(ExitCode::FAILURE);
                }
                println!("{}", code.reveal());
            }
            Self::SigningKey(SigningKey::Rotate { distrust_old }) => {
                println!("{}", rotate_signing_key(db).await?);
                if distrust_old {
                    store::signing_key::delete_replaced(db, Duration::ZERO).await.map_err(UserError::from)?;
                }
            }
        }
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
