use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;

use proto::user::user_service_server::UserServiceServer;
use serde::Deserialize;
use service_kit::fault::Faults;
use service_kit::health::{Probe, Readiness};
use service_kit::mesh::{self, Mesh};
use service_kit::{Service, Shutdown, database};
use telemetry::postgres::Db;
use tokio::net::TcpListener;

use crate::command::Command;
use crate::grpc::Grpc;
use crate::housekeeping::{self, Housekeeper};
use crate::identity::{AccessTokens, Pins, Sessions};

/// The service's settings; `config.yaml` holds the defaults.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    listen: SocketAddr,
    telemetry: telemetry::Config,
    mesh: Option<mesh::Config>,
    fault_injection: bool,
    database: database::Config,
    sessions: Sessions,
    housekeeping: housekeeping::Config,
}

/// user-svc, bound to its port.
#[derive(Debug)]
pub struct App {
    listener: TcpListener,
    address: SocketAddr,
    mesh: Mesh,
    faults: Faults,
    db: Db,
    grpc: Grpc,
    housekeeper: Housekeeper,
}

impl Service for App {
    type Config = Config;
    type Command = Command;

    const DEFAULTS: &'static str = include_str!("../config.yaml");
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const PROBE: Probe = Probe::Grpc;

    fn listen(config: &Config) -> SocketAddr {
        config.listen
    }

    fn mesh(config: &Config) -> Option<&mesh::Config> {
        config.mesh.as_ref()
    }

    fn telemetry(config: &Config) -> &telemetry::Config {
        &config.telemetry
    }

    fn fault_injection(config: &Config) -> bool {
        config.fault_injection
    }

    async fn build(config: Config) -> anyhow::Result<Self> {
        let mesh = Mesh::open(config.mesh.as_ref())?;
        let db = database::open(&config.database)?;
        let sessions = config.sessions;
        sessions.lockout.check()?;
        let tokens = Arc::new(AccessTokens::new(sessions.issuer.clone(), sessions.audience.clone()));
        let housekeeper = Housekeeper::new(config.housekeeping, &sessions, Arc::clone(&tokens), db.clone())?;
        let grpc = Grpc { db: db.clone(), pins: Arc::new(Pins::new(sessions.concurrent_logins)?), tokens, sessions };
        let faults = Faults::new(config.fault_injection, "user-svc");
        let listener = service_kit::bind(config.listen).await?;
        let address = listener.local_addr()?;
        Ok(Self { listener, address, mesh, faults, db, grpc, housekeeper })
    }

    fn local_addr(&self) -> SocketAddr {
        self.address
    }

    async fn run(self, shutdown: Shutdown) -> anyhow::Result<()> {
        let service = UserServiceServer::new(self.grpc);
        let readiness = Readiness::Database(self.db.clone());
        let serving =
            service_kit::grpc::serve(self.listener, self.mesh, service, readiness, self.faults, shutdown.clone());
        tokio::try_join!(serving, self.housekeeper.run(shutdown))?;
        self.db.close().await;
        Ok(())
    }

    async fn command(config: Config, command: Command) -> anyhow::Result<ExitCode> {
        command.run(&database::open(&config.database)?).await
    }
}
