use std::process::ExitCode;
use std::sync::Arc;

use proto::notify::notify_service_server::NotifyServiceServer;
use serde::Deserialize;
use service_kit::grpc::Upstream;
use service_kit::health::{Probe, Readiness};
use service_kit::{Host, NoCommand, Service, Shutdown};
use tokio::net::TcpListener;

use crate::breaker;
use crate::channel::{Senders, email, sms};
use crate::clients::{Data, User};
use crate::delivery::{self, Delivery};
use crate::escalation::Escalator;
use crate::grpc::Grpc;
use crate::lease;
use crate::message::Messages;
use crate::sweeper::{self, Sweeper};

/// The service's settings; `config.yaml` holds the defaults.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    data_svc: Upstream,
    user_svc: Upstream,
    report_url: String,
    study_url: String,
    sms: sms::Config,
    smtp: email::Config,
    breaker: breaker::Config,
    delivery: delivery::Config,
    sweep: sweeper::Config,
}

/// notify-svc: its deliveries and its background tasks.
#[derive(Debug)]
pub struct App {
    delivery: Arc<Delivery>,
    sweeper: Sweeper,
    escalator: Escalator,
}

impl Service for App {
    type Config = Config;
    type Command = NoCommand;

    const NAME: &'static str = "notify-svc";
    const DEFAULTS: &'static str = include_str!("../config.yaml");
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const PROBE: Probe = Probe::Grpc;

    async fn build(config: Config, host: &Host) -> anyhow::Result<Self> {
        let data = Data::new(config.data_svc.channel("data-svc", &host.mesh)?);
        let user = User::new(config.user_svc.channel("user-svc", &host.mesh)?);
        let senders = Senders::new(&config.sms, &config.smtp, config.breaker)?;
        lease::check(config.delivery.lease, config.data_svc.timeout, config.user_svc.timeout, senders.longest())?;
        let messages = Messages::new(senders.templates(), config.report_url, config.study_url)?;
        let delivery = Arc::new(Delivery::new(config.delivery, data.clone(), user.clone(), senders, messages));
        let sweeper = Sweeper::new(config.sweep, Arc::clone(&delivery))?;
        let escalator = Escalator::new(sweeper.interval(), data, user, Arc::clone(&delivery));
        Ok(Self { delivery, sweeper, escalator })
    }

    async fn run(self, host: Host, listener: TcpListener, shutdown: Shutdown) -> anyhow::Result<()> {
        let service = NotifyServiceServer::new(Grpc { delivery: Arc::clone(&self.delivery) });
        let serving =
            service_kit::grpc::serve(listener, host.mesh, service, Readiness::Always, host.faults, shutdown.clone());
        let stopping = async {
            shutdown.cancelled().await;
            self.delivery.stop();
            Ok(())
        };
        tokio::try_join!(serving, self.sweeper.run(shutdown.clone()), self.escalator.run(shutdown.clone()), stopping)
            .map(drop)
    }

    async fn command(_: Config, command: NoCommand) -> anyhow::Result<ExitCode> {
        match command {}
    }
}
