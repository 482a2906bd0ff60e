//! A slow load of patients and nurses of the demo study, with some failing requests: something to look at in Jaeger.
//! They only know the public API and make no spans. Each request is logged with the trace of its answer.

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
    /// The average time between two actions. Below a second, the load reaches the study's limits.
    #[arg(long, env = "LOAD_PACE", default_value = "1500ms", value_parser = humantime::parse_duration)]
    pace: Duration,
}

#[derive(Subcommand)]
enum Command {
    /// Exits with 0 when the gateway is reachable and ready.
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
