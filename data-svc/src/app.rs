use std::process::ExitCode;
use std::time::Duration;

use clap::Subcommand;
use proto::data::data_service_server::DataServiceServer;
use serde::Deserialize;
use service_kit::health::{Probe, Readiness};
use service_kit::{Host, Service, Shutdown, database, grpc};
use telemetry::postgres::Db;
use tokio::net::TcpListener;

use crate::audit::{self, Sealer};
use crate::grpc::Grpc;
use crate::housekeeping::{self, Housekeeper};
use crate::outbox;
use crate::reconcile;
use crate::schedule::materialise::{self, Materialiser};
use crate::unnotified;

/// How long one statement of a command may run. It is long, because each statement reads a whole table.
const CHECK_TIMEOUT: Duration = Duration::from_hours(1);

/// The service's settings; `config.yaml` holds the defaults.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    database: database::Config,
    audit: audit::Config,
    schedule: materialise::Config,
    outbox: outbox::Config,
    unnotified: unnotified::Config,
    idempotency: housekeeping::Config,
}

/// The commands of the program, besides serving.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Checks the audit trail.
    #[command(subcommand)]
    Audit(audit::Command),
    /// Looks for reports of which no nurse was or will be notified, and for stuck notifications. Exits with 0 if there
    /// are none; else prints their ids and exits with 1.
    Reconcile(reconcile::Options),
}

/// data-svc: its database and its background tasks.
#[derive(Debug)]
pub struct App {
    db: Db,
    sealer: Sealer,
    materialiser: Materialiser,
    outbox: outbox::Meter,
    unnotified: unnotified::Finder,
    housekeeper: Housekeeper,
}

impl Service for App {
    type Config = Config;
    type Command = Command;

    const NAME: &'static str = "data-svc";
    const DEFAULTS: &'static str = include_str!("../config.yaml");
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const PROBE: Probe = Probe::Grpc;

    async fn build(config: Config, _: &Host) -> anyhow::Result<Self> {
        let db = database::open(&config.database)?;
        let sealer = Sealer::new(&config.audit, db.clone())?;
        let materialiser = Materialiser::new(config.schedule, db.clone())?;
        let outbox = outbox::Meter::new(config.outbox, db.clone())?;
        let unnotified = unnotified::Finder::new(config.unnotified, db.clone())?;
        let housekeeper = Housekeeper::new(config.idempotency, db.clone())?;
        Ok(Self { db, sealer, materialiser, outbox, unnotified, housekeeper })
    }

    async fn run(self, host: Host, listener: TcpListener, shutdown: Shutdown) -> anyhow::Result<()> {
        let service = DataServiceServer::new(Grpc::new(self.db.clone()));
        let readiness = Readiness::Database(self.db.clone());
        let serving = grpc::serve(listener, host.mesh, service, readiness, host.faults, shutdown.clone());
        tokio::try_join!(
            serving,
            self.sealer.run(shutdown.clone()),
            self.materialiser.run(shutdown.clone()),
            self.outbox.run(shutdown.clone()),
            self.unnotified.run(shutdown.clone()),
            self.housekeeper.run(shutdown),
        )?;
        self.db.close().await;
        Ok(())
    }

    async fn command(config: Config, command: Command) -> anyhow::Result<ExitCode> {
        let db = database::open(&database::Config { statement_timeout: CHECK_TIMEOUT, ..config.database })?;
        match command {
            Command::Audit(command) => audit::run(&db, command).await,
            Command::Reconcile(options) => reconcile::run(&db, options).await,
        }
    }
}
