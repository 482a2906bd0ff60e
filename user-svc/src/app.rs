use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use proto::user::user_service_server::UserServiceServer;
use serde::Deserialize;
use service_kit::health::{Probe, Readiness};
use service_kit::{Service, Shutdown, database};
use telemetry::postgres::Db;
use tokio::net::TcpListener;

use crate::grpc::Grpc;
use crate::identity::{AccessTokens, Pins};

/// The service's settings; `config.yaml` holds the defaults.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    listen: SocketAddr,
    telemetry: telemetry::Config,
    database: database::Config,
    sessions: Sessions,
}

/// The `sessions:` block.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sessions {
    /// How long an access token is good for.
    #[serde(with = "humantime_serde")]
    lifetime: Duration,
    /// `iss` of the tokens.
    issuer: String,
    /// `aud` of the tokens.
    audience: String,
    /// PINs checked at the same time.
    concurrent_logins: NonZeroUsize,
}

/// user-svc, bound to its port.
#[derive(Debug)]
pub struct App {
    listener: TcpListener,
    address: SocketAddr,
    db: Db,
    grpc: Grpc,
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
        let sessions = config.sessions;
        let grpc = Grpc {
            db: db.clone(),
            pins: Arc::new(Pins::new(sessions.concurrent_logins)?),
            tokens: Arc::new(AccessTokens::new(sessions.issuer, sessions.audience)),
            session_lifetime: sessions.lifetime,
        };
        let listener = service_kit::bind(config.listen).await?;
        let address = listener.local_addr()?;
        Ok(Self { listener, address, db, grpc })
    }

    fn local_addr(&self) -> SocketAddr {
        self.address
    }

    async fn run(self, shutdown: Shutdown) -> anyhow::Result<()> {
        let service = UserServiceServer::new(self.grpc);
        service_kit::grpc::serve(self.listener, service, Readiness::Database(self.db.clone()), shutdown).await?;
        self.db.close().await;
        Ok(())
    }
}
