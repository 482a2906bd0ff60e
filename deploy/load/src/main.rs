//! A trickle of patients and nurses of the demo study, some of whom fail: something to look at in Jaeger. They are strangers,
//! who know the public API alone and make no spans; a line for each request says in which trace it was answered.

#![expect(clippy::disallowed_methods, reason = "a stranger to the services: what it sends belongs to no trace")]

mod action;
mod gateway;
mod line;
mod nurse;
mod patient;
mod person;
mod questionnaire;
mod trickle;

use std::time::Duration;

use clap::{Parser, Subcommand};
use humantime_serde::re::humantime;
use reqwest::Url;
use tokio::signal::unix::{SignalKind, signal};

use gateway::Gateway;
use trickle::Trickle;

#[derive(Parser)]
#[command(about = "Patients and nurses of the demo study who use the API, some of whom fail, until it is told to end.")]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    /// The gateway's address.
    #[arg(long, env = "LOAD_GATEWAY", default_value = "http://127.0.0.1:8080", global = true)]
    gateway: Url,
    /// Between two actions, on the average. At less than a second the study's limits are met.
    #[arg(long, env = "LOAD_PACE", default_value = "1500ms", value_parser = humantime::parse_duration)]
    pace: Duration,
}

#[derive(Subcommand)]
enum Command {
    /// Exits with 0 when the gateway can be reached and is ready.
    Healthcheck,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let gateway = Gateway::new(&arguments.gateway)?;
    if let Some(Command::Healthcheck) = arguments.command {
        return Ok(gateway.ready().await?);
    }
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let mut trickle = Trickle::new(gateway);
    tokio::select! {
        () = trickle.run(arguments.pace) => {}
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}
