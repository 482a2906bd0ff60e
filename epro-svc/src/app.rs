use std::num::NonZeroU32;
use std::process::ExitCode;

use proto::report::report_service_server::ReportServiceServer;
use serde::Deserialize;
use service_kit::grpc::Upstream;
use service_kit::health::{Probe, Readiness};
use service_kit::{Host, NoCommand, Service, Shutdown};
use tokio::net::TcpListener;

use crate::clients::{Data, Notify};
use crate::grpc::Grpc;

/// The service's settings; `config.yaml` holds the defaults.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    data_svc: Upstream,
    notify_svc: Upstream,
    amendments: Amendments,
}

/// The `amendments:` block.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Amendments {
    /// Revisions that a report may have, the first one included.
    max_revisions: NonZeroU32,
}

/// epro-svc: its gRPC server with the clients of other services.
#[derive(Debug)]
pub struct App {
    grpc: Grpc,
}

impl Service for App {
    type Config = Config;
    type Command = NoCommand;

    const NAME: &'static str = "epro-svc";
    const DEFAULTS: &'static str = include_str!("../config.yaml");
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const PROBE: Probe = Probe::Grpc;

    async fn build(config: Config, host: &Host) -> anyhow::Result<Self> {
        let grpc = Grpc {
            data: Data::new(config.data_svc.channel("data-svc", &host.mesh)?),
            notify: Notify::new(config.notify_svc.channel("notify-svc", &host.mesh)?),
            max_revisions: config.amendments.max_revisions.get(),
        };
        Ok(Self { grpc })
    }

    async fn run(self, host: Host, listener: TcpListener, shutdown: Shutdown) -> anyhow::Result<()> {
        let service = ReportServiceServer::new(self.grpc);
        service_kit::grpc::serve(listener, host.mesh, service, Readiness::Always, host.faults, shutdown).await
    }

    async fn command(_: Config, command: NoCommand) -> anyhow::Result<ExitCode> {
        match command {}
    }
}
