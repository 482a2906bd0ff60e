use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use serde::Deserialize;
use service_kit::grpc::Upstream;
use service_kit::health::Probe;
use service_kit::http::{Acceptor, ConnectionLimits, Tls};
use service_kit::{Host, Service, Shutdown};
use tokio::net::TcpListener;

use crate::clients::{Data, Peers, Report, User};
use crate::command::Command;
use crate::fhir;
use crate::limit::{RateLimits, Rates};
use crate::proxies::{self, Proxies};
use crate::router::{self, Limits};
use crate::shared::Shared;
use crate::web::{self, Web};

/// The service's settings; `config.yaml` holds the defaults.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    user_svc: Upstream,
    epro_svc: Upstream,
    data_svc: Upstream,
    #[serde(with = "humantime_serde")]
    request_timeout: Duration,
    body_limit: usize,
    connections: ConnectionLimits,
    tls: Option<Tls>,
    rate_limits: RateLimits,
    proxies: proxies::Config,
    trace_url: String,
    web: web::Config,
    public_url: String,
}

/// The gateway, ready to serve.
#[derive(Debug)]
pub struct App {
    acceptor: Acceptor,
    pub(crate) router: Router,
    web: Arc<Web>,
}

impl Service for App {
    type Config = Config;
    type Command = Command;

    const NAME: &'static str = "gateway";
    const DEFAULTS: &'static str = include_str!("../config.yaml");
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const PROBE: Probe = Probe::Http("/readyz");

    fn tls(config: &Config) -> Option<&Tls> {
        config.tls.as_ref()
    }

    async fn build(config: Config, host: &Host) -> anyhow::Result<Self> {
        let acceptor = Acceptor::new(config.tls.as_ref(), config.connections, config.proxies.trusted.clone())?;
        let shared = Shared {
            user: User::new(config.user_svc.channel("user-svc", &host.mesh)?),
            report: Report::new(config.epro_svc.channel("epro-svc", &host.mesh)?),
            data: Data::new(config.data_svc.channel("data-svc", &host.mesh)?),
            peers: Peers::new(&config.user_svc, &config.epro_svc, &config.data_svc, &host.mesh)?,
            rates: Arc::new(Rates::new(config.rate_limits)),
            proxies: Arc::new(Proxies::new(config.proxies)?),
            trace_url: (!config.trace_url.is_empty()).then(|| config.trace_url.into()),
        };
        let over_tls = config.tls.is_some();
        let web = Arc::new(Web::new(shared.clone(), &config.web, over_tls, &host.telemetry)?);
        let fhir = fhir::Base::new(&config.public_url, over_tls);
        let limits = Limits { request_timeout: config.request_timeout, body: config.body_limit };
        let router = router::new(shared, &web, fhir, limits, host.faults, over_tls)?;
        Ok(Self { acceptor, router, web })
    }

    async fn run(self, _: Host, listener: TcpListener, shutdown: Shutdown) -> anyhow::Result<()> {
        let served = service_kit::http::serve(listener, self.acceptor, self.router, shutdown).await;
        self.web.shutdown().await;
        served
    }

    async fn command(_: Config, command: Command) -> anyhow::Result<ExitCode> {
        command.run()
    }
}
