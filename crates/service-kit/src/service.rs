use std::future::Future;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::process::ExitCode;
use std::thread::available_parallelism;
use std::time::Duration;

use anyhow::Context;
use clap::{Parser, Subcommand};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::config::{self, Ignored, Loaded};
use crate::fault::{self, Faults};
use crate::health::Probe;
use crate::mesh::{self, Mesh};
use crate::shutdown::{DRAIN, Shutdown};
use crate::tls::Tls;

/// How long a service that must stop at once may take to send its last spans.
const HASTE: Duration = Duration::from_millis(500);

/// Tokio's own variable for the number of a runtime's threads.
const WORKER_THREADS: &str = "TOKIO_WORKER_THREADS";

async fn bind(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| format!("listen on {address}"))
}

/// The settings that all services have.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// Where the service listens.
    listen: SocketAddr,
    telemetry: telemetry::Config,
    mesh: Option<mesh::Config>,
    /// Whether requests may ask for faults, see [`crate::fault`].
    fault_injection: bool,
}

impl Settings {
    /// The fields, as a configuration names them.
    const KEYS: [&str; 4] = ["listen", "telemetry", "mesh", "fault_injection"];
}

/// What a service gets from the program.
#[derive(Debug)]
pub struct Host {
    /// Its identity for the other services.
    pub mesh: Mesh,
    /// The faults that requests may ask for.
    pub faults: Faults,
    /// Its telemetry block.
    pub telemetry: telemetry::Config,
}

/// One of the five services, as [`main`] runs it.
pub trait Service: Sized + Send {
    /// The service's own settings, with their names as in YAML. `listen`, `telemetry`, `mesh` and `fault_injection` are
    /// not among them: [`main`] reads them.
    type Config: DeserializeOwned + Send;
    /// The service's own commands, besides `healthcheck`; [`NoCommand`] if it has none.
    type Command: Subcommand + Send;

    /// The service's name, such as `data-svc`.
    const NAME: &'static str;
    /// The defaults, as YAML.
    const DEFAULTS: &'static str;
    /// The service's version.
    const VERSION: &'static str;
    /// How its health is checked.
    const PROBE: Probe;

    /// Its TLS block, if it has one.
    fn tls(_: &Self::Config) -> Option<&Tls> {
        None
    }

    /// Creates what it needs. Peers and database need not be up yet.
    fn build(config: Self::Config, host: &Host) -> impl Future<Output = anyhow::Result<Self>> + Send;

    /// Serves on the listener until shutdown, then finishes what is running.
    fn run(
        self,
        host: Host,
        listener: TcpListener,
        shutdown: Shutdown,
    ) -> impl Future<Output = anyhow::Result<()>> + Send;

    /// Runs one of its own commands instead of serving. The command prints to stdout and returns its exit code; after
    /// an error the code is 2. A command makes no spans and no log.
    fn command(config: Self::Config, command: Self::Command) -> impl Future<Output = anyhow::Result<ExitCode>> + Send;
}

/// The commands of a service that has none of its own.
#[derive(Debug, Subcommand)]
pub enum NoCommand {}

#[derive(Parser)]
struct Arguments<C: Subcommand> {
    /// A YAML file that overrides the defaults; variables such as `EPRO_LISTEN` override both.
    #[arg(long, global = true)]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Option<Command<C>>,
}

#[derive(Subcommand)]
enum Command<C: Subcommand> {
    /// Checks the health of the running service; exits with 0 if it is ready.
    Healthcheck,
    #[command(flatten)]
    Own(C),
}

/// Runs a service from its command line to its last span.
pub fn main<S: Service>() -> ExitCode {
    let arguments = Arguments::<S::Command>::parse();
    // A command exits with 1 if it has found something wrong, so errors of the command itself are 2.
    let trouble = if matches!(arguments.command, Some(Command::Own(_))) { 2 } else { 1 };
    execute::<S>(arguments).unwrap_or_else(|error| {
        eprintln!("{error:#}");
        ExitCode::from(trouble)
    })
}

fn execute<S: Service>(arguments: Arguments<S::Command>) -> anyhow::Result<ExitCode> {
    let Loaded { host: settings, own: config, ignored } =
        config::load::<Settings, S::Config>(&Settings::KEYS, S::DEFAULTS, arguments.config.as_deref())
            .context("configuration")?;
    let runtime = runtime().context("start the runtime")?;
    let done = match arguments.command {
        Some(Command::Own(command)) => return runtime.block_on(S::command(config, command)),
        Some(Command::Healthcheck) => {
            runtime.block_on(S::PROBE.ask(settings.listen, S::tls(&config), settings.mesh.as_ref()))
        }
        None => runtime.block_on(serve::<S>(settings, config, &ignored)),
    };
    done.map(|()| ExitCode::SUCCESS)
}

/// A runtime with a thread for every two cores, or as many as `TOKIO_WORKER_THREADS` says. The work of a request is
/// spread over five services, and moving it to another thread costs more than waiting for this one.
fn runtime() -> anyhow::Result<Runtime> {
    let threads = match std::env::var(WORKER_THREADS) {
        Ok(text) => text.parse().with_context(|| format!("{WORKER_THREADS}: {text:?} is no number above 0"))?,
        Err(_) => available_parallelism().unwrap_or(NonZeroUsize::MIN).midpoint(NonZeroUsize::MIN),
    };
    let mut builder =
        if threads == NonZeroUsize::MIN { Builder::new_current_thread() } else { Builder::new_multi_thread() };
    if threads > NonZeroUsize::MIN {
        builder.worker_threads(threads.get());
    }
    Ok(builder.enable_all().build()?)
}

/// The fallible part is a separate function, so that the flush always runs.
async fn serve<S: Service>(settings: Settings, config: S::Config, ignored: &[Ignored]) -> anyhow::Result<()> {
    let admitted = fault::admit(settings.fault_injection, &settings.telemetry)?;
    let mut signals = Signals::listen()?;
    let telemetry = telemetry::init(&admitted, S::VERSION).context("start telemetry")?;
    if settings.fault_injection {
        telemetry::warn!("fault_injection is on: whoever can send a request can make it fail");
    }
    for Ignored { name, nearest } in ignored {
        telemetry::warn!(name, nearest, "a variable that is no setting is ignored");
    }
    let result = build_and_run::<S>(settings, config, &mut signals).await;
    if let Err(error) = &result {
        telemetry::error!(error = format!("{error:#}"), "stopped by an error");
    }
    let flush = telemetry.shutdown(if signals.received > 1 { HASTE } else { DRAIN });
    tokio::select! {
        () = flush => {}
        () = signals.next() => {}
    }
    result
}

/// SIGTERM and SIGINT: the first one asks a service to finish what is running, a second one to stop at once.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    received: u32,
}

impl Signals {
    fn listen() -> anyhow::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate()).context("listen for SIGTERM")?,
            interrupt: signal(SignalKind::interrupt()).context("listen for SIGINT")?,
            received: 0,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
        self.received += 1;
    }
}

async fn build_and_run<S: Service>(settings: Settings, config: S::Config, signals: &mut Signals) -> anyhow::Result<()> {
    let shutdown = Shutdown::new();
    let mesh = Mesh::open(settings.mesh.as_ref())?;
    let faults = Faults::new(settings.fault_injection, S::NAME);
    let host = Host { mesh, faults, telemetry: settings.telemetry };
    let service = S::build(config, &host).await?;
    let listener = bind(settings.listen).await?;
    telemetry::info!(address = %listener.local_addr()?, "listening");
    let running = service.run(host, listener, shutdown.clone());
    tokio::pin!(running);
    tokio::select! {
        result = &mut running => return result,
        () = signals.next() => {}
    }
    telemetry::info!("stopping");
    shutdown.cancel();
    // A little longer than the servers' own limit.
    let drained = tokio::time::timeout(DRAIN + Duration::from_secs(1), running);
    tokio::select! {
        drained = drained => drained.unwrap_or_else(|_| {
            telemetry::warn!("requests were still running");
            Ok(())
        }),
        () = signals.next() => {
            telemetry::warn!("stopped at once, because a second signal came");
            Ok(())
        }
    }
}
