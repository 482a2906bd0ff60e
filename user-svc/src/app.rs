use std::process::ExitCode;
use std::sync::Arc;

use proto::user::user_service_server::UserServiceServer;
use serde::Deserialize;
use service_kit::health::{Probe, Readiness};
use service_kit::{Host, Service, Shutdown, database};
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
    database: database::Config,
    sessions: Sessions,
    housekeeping: housekeeping::Config,
}

/// The assembled service.
#[derive(Debug)]
pub struct App {
    db: Db,
    grpc: Grpc,
    housekeeper: Housekeeper,
}

impl Service for App {
    type Config = Config;
    type Command = Command;

    const NAME: &'static str = "user-svc";
    const DEFAULTS: &'static str = include_str!("../config.yaml");
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const PROBE: Probe = Probe::Grpc;

    async fn build(config: Config, _: &Host) -> anyhow::Result<Self> {
        let db = database::open(&config.database)?;
        let sessions = config.sessions;
        sessions.lockout.check()?;
        let tokens = Arc::new(AccessTokens::new(sessions.issuer.clone(), sessions.audience.clone()));
        let housekeeper = Housekeeper::new(config.housekeeping, &sessions, Arc::clone(&tokens), db.clone())?;
        let grpc = Grpc { db: db.clone(), pins: Arc::new(Pins::new(sessions.concurrent_logins)?), tokens, sessions };
        Ok(Self { db, grpc, housekeeper })
    }

    async fn run(self, host: Host, listener: TcpListener, shutdown: Shutdown) -> anyhow::Result<()> {
        let service = UserServiceServer::new(self.grpc);
        let readiness = Readiness::Database(self.db.clone());
        let serving = service_kit::grpc::serve(listener, host.mesh, service, readiness, host.faults, shutdown.clone());
        tokio::try_join!(serving, self.housekeeper.run(shutdown))?;
        self.db.close().await;
        Ok(())
    }

    async fn command(config: Config, command: Command) -> anyhow::Result<ExitCode> {
        command.run(&database::open(&config.database)?).await
    }
}
