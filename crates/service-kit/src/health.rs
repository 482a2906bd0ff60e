//! The health service `grpc.health.v1`, and the client of a container's health check.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use http_body_util::Empty;
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use telemetry::postgres::Db;
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsConnector;
use tokio_util::either::Either;
use tonic_health::ServingStatus;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus as Answer;
use tonic_health::server::HealthReporter;

use crate::balance::{Connector, LoadBalancer};
use crate::database;
use crate::deadline;
use crate::mesh;
use crate::shutdown::Shutdown;
use crate::tls::Tls;

/// How long a health check may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(2);
/// How often a service checks what it depends on.
const INTERVAL: Duration = Duration::from_secs(1);

/// What a gRPC service needs to be ready.
#[derive(Debug, Clone)]
pub enum Readiness {
    /// Nothing besides itself.
    Always,
    /// A database that answers.
    Database(Db),
}

impl Readiness {
    /// Keeps the status of `grpc.health.v1` up to date while it is polled, and logs why the service is not ready.
    pub(crate) async fn report(self, reporter: HealthReporter, shutdown: Shutdown) -> Infallible {
        let mut last = Ok(());
        loop {
            let state = self.state().await;
            match &state {
                _ if state == last => {}
                Ok(()) => telemetry::info!("ready again"),
                Err(error) => telemetry::warn!(error, "not ready"),
            }
            let ready = state.is_ok() && !shutdown.is_cancelled();
            let status = if ready { ServingStatus::Serving } else { ServingStatus::NotServing };
            reporter.set_service_status("", status).await;
            last = state;
            sleep(INTERVAL).await;
        }
    }

    async fn state(&self) -> Result<(), String> {
        match self {
            Self::Always => Ok(()),
            Self::Database(db) => match timeout(PATIENCE, db.ping()).await {
                Ok(answer) => answer.map_err(|error| database::StoreError::from(error).to_string()),
                Err(_) => Err("the database does not answer".to_owned()),
            },
        }
    }
}

/// Checks the health of another service.
#[derive(Debug, Clone)]
pub struct HealthClient(pub(crate) deadline::Client);

impl HealthClient {
    /// Whether the service reports that it is ready.
    pub async fn is_serving(&self) -> bool {
        let mut client = tonic_health::pb::health_client::HealthClient::new(self.0.clone());
        // The timeout of the call covers only the head of the answer.
        match timeout(PATIENCE, client.check(HealthCheckRequest::default())).await {
            Ok(Ok(answer)) => answer.get_ref().status() == Answer::Serving,
            _ => false,
        }
    }
}

/// How the health of a running service is checked.
#[derive(Debug, Clone, Copy)]
pub enum Probe {
    /// `grpc.health.v1`.
    Grpc,
    /// `GET` on this path answers 200.
    Http(&'static str),
}

impl Probe {
    /// Checks the service that listens on `address` of this machine.
    pub(crate) async fn ask(
        self,
        address: SocketAddr,
        tls: Option<&Tls>,
        mesh: Option<&mesh::Config>,
    ) -> anyhow::Result<()> {
        let mut address = address;
        if address.ip().is_unspecified() {
            address.set_ip(Ipv4Addr::LOCALHOST.into());
        }
        match self {
            Self::Grpc => {
                let connector = match mesh {
                    None => Connector::cleartext(),
                    Some(mesh) => Connector::Secured(mesh.pinned_connector()?),
                };
                let service = LoadBalancer::new(&[format!("http://{address}").parse()?], address.port(), connector);
                if !HealthClient(deadline::Client::new(service, PATIENCE)).is_serving().await {
                    bail!("{address} is not ready");
                }
            }
            Self::Http(path) => {
                let status = timeout(PATIENCE, get(address, path, tls)).await.context("no answer in time")??;
                if status != http::StatusCode::OK {
                    bail!("{address} answered {status}");
                }
            }
        }
        Ok(())
    }
}

async fn get(address: SocketAddr, path: &str, tls: Option<&Tls>) -> anyhow::Result<http::StatusCode> {
    let stream = TcpStream::connect(address).await?;
    let stream = match tls {
        None => Either::Left(stream),
        Some(tls) => {
            let connector = TlsConnector::from(Arc::new(tls.pinned_client()?));
            Either::Right(connector.connect(address.ip().into(), stream).await.context("TLS handshake")?)
        }
    };
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let request = http::Request::get(path).header("host", address.to_string()).body(Empty::<Bytes>::new())?;
    tokio::select! {
        answer = sender.send_request(request) => Ok(answer?.status()),
        ended = connection => bail!("the connection ended: {ended:?}"),
    }
}
