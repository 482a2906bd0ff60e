use std::future::Future;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::{Parser, Subcommand};
use serde::de::DeserializeOwned;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::config;
use crate::health::Probe;

/// How long a stopping service may finish what it has begun; the same again to send its last spans.
pub(crate) const DRAIN: Duration = Duration::from_secs(10);

/// Takes a port.
///
/// # Errors
/// When it is taken.
pub async fn bind(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| format!("listen on {address}"))
}

/// Tells a running service to stop: no new work, finish what is there.
pub type Shutdown = CancellationToken;

/// One of the five services, as [`main`] runs it.
pub trait Service: Sized + Send {
    /// The settings, with their names as in YAML.
    type Config: DeserializeOwned + Send;

    /// The defaults, as YAML.
    const DEFAULTS: &'static str;
    /// The service's version.
    const VERSION: &'static str;
    /// How its health is asked for.
    const PROBE: Probe;

    /// Where the service listens.
    fn listen(config: &Self::Config) -> SocketAddr;

    /// Its telemetry block.
    fn telemetry(config: &Self::Config) -> &telemetry::Config;

    /// Binds its port and makes what it needs. Peers and database need not be up yet.
    fn build(config: Self::Config) -> impl Future<Output = anyhow::Result<Self>> + Send;

    /// The address it is bound to.
    fn local_addr(&self) -> SocketAddr;

    /// Serves until told to stop, then finishes what it has begun.
    fn run(self, shutdown: Shutdown) -> impl Future<Output = anyhow::Result<()>> + Send;
}

#[derive(Parser)]
struct Arguments {
    /// A YAML file laid over the defaults; variables such as `EPRO_LISTEN` are laid over both.
    #[arg(long, global = true)]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Asks the running service for its health; exits 0 if it is ready.
    Healthcheck,
}

/// Runs a service from its command line to its last span.
pub fn main<S: Service>() -> ExitCode {
    let arguments = Arguments::parse();
    match execute::<S>(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn execute<S: Service>(arguments: &Arguments) -> anyhow::Result<()> {
    let config = config::load::<S::Config>(S::DEFAULTS, arguments.config.as_deref()).context("configuration")?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("start the runtime")?;
    match arguments.command {
        Some(Command::Healthcheck) => runtime.block_on(S::PROBE.ask(S::listen(&config))),
        None => runtime.block_on(serve::<S>(config)),
    }
}

/// The fallible part is a function of its own, so that the flush always runs.
async fn serve<S: Service>(config: S::Config) -> anyhow::Result<()> {
    let telemetry = telemetry::init(S::telemetry(&config), S::VERSION).await.context("start telemetry")?;
    let result = build_and_run::<S>(config).await;
    if let Err(error) = &result {
        telemetry::error!(error = format!("{error:#}"), "stopped by an error");
    }
    telemetry.shutdown(DRAIN).await;
    result
}

async fn build_and_run<S: Service>(config: S::Config) -> anyhow::Result<()> {
    let shutdown = Shutdown::new();
    let mut terminate = signal(SignalKind::terminate()).context("listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("listen for SIGINT")?;
    let service = S::build(config).await?;
    telemetry::info!(address = %service.local_addr(), "listening");
    let running = service.run(shutdown.clone());
    tokio::pin!(running);
    tokio::select! {
        result = &mut running => return result,
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    telemetry::info!("stopping");
    shutdown.cancel();
    // A moment more than the servers themselves take.
    tokio::time::timeout(DRAIN + Duration::from_secs(1), running).await.unwrap_or_else(|_| {
        telemetry::warn!("requests were still running");
        Ok(())
    })
}
