use std::process::ExitCode;

use clap::Subcommand;

use crate::router;

/// What the gateway's program can do beside serving.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Prints the API's description (`OpenAPI` 3.1), as `/openapi.json` serves it.
    Openapi,
}

impl Command {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        match self {
            Self::Openapi => println!("{}", serde_json::to_string_pretty(&router::description())?),
        }
        Ok(ExitCode::SUCCESS)
    }
}
