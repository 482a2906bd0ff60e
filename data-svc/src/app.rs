use std::net::SocketAddr;

use proto::data::data_service_server::DataServiceServer;
use serde::Deserialize;
use service_kit::health::{Probe, Readiness};
use service_kit::{Service, Shutdown, database, grpc};
use telemetry::postgres::Db;
use tokio::net::TcpListener;

use crate::grpc::Grpc;

/// The service's settings; `config.yaml` holds the defaults.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    listen: SocketAddr,
    telemetry: telemetry::Config,
    database: database::Config,
}

/// data-svc, bound to its port.
#[derive(Debug)]
pub struct App {
    listener: TcpListener,
    address: SocketAddr,
    db: Db,
}

impl Service for App {
    type Config = Config;

    const DEFAULTS: &'static str = include_str!("../config.yaml");
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const PROBE: Probe = Probe::Grpc;

    fn listen(config: &Config) -> SocketAddr {
        config.listen
    }

    fn telemetry(config: &Config) -> &telemetry::Config {
        &config.telemetry
    }

    async fn build(config: Config) -> anyhow::Result<Self> {
        let db = database::open(&config.database)?;
        let listener = service_kit::bind(config.listen).await?;
        let address = listener.local_addr()?;
        Ok(Self { listener, address, db })
    }

    fn local_addr(&self) -> SocketAddr {
        self.address
    }

    async fn run(self, shutdown: Shutdown) -> anyhow::Result<()> {
        let service = DataServiceServer::new(Grpc::new(self.db.clone()));
        grpc::serve(self.listener, service, Readiness::Database(self.db.clone()), shutdown).await?;
        self.db.close().await;
        Ok(())
    }
}
