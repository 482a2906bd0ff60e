//! Serving and calling over gRPC.

use std::any::Any;
use std::convert::Infallible;
use std::time::Duration;

use anyhow::Context;
use serde::Deserialize;
use tokio::net::TcpListener;
use tonic::Status;
use tonic::body::Body;
use tonic::server::NamedService;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Endpoint, Server};
use tonic_health::ServingStatus;
use tower::Service;
use tower_http::catch_panic::CatchPanicLayer;

use crate::deadline;
use crate::health::{HealthClient, Readiness};
use crate::service::Shutdown;

/// A service this one calls.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Upstream {
    /// `http://host:port`
    pub url: String,
    /// How long one call may take, if the caller's own deadline is not nearer.
    #[serde(with = "humantime_serde")]
    pub timeout: Duration,
}

impl Upstream {
    /// A channel to it. It connects when it is first used and again after every loss.
    ///
    /// # Errors
    /// When the URL is none.
    pub fn channel(&self) -> anyhow::Result<deadline::Channel> {
        let endpoint = self.endpoint()?;
        Ok(deadline::Channel::new(telemetry::grpc::Channel::new(&endpoint), self.timeout))
    }

    /// A client for its health; its questions make no spans.
    ///
    /// # Errors
    /// When the URL is none.
    pub fn health(&self) -> anyhow::Result<HealthClient> {
        Ok(HealthClient::new(&self.endpoint()?))
    }

    fn endpoint(&self) -> anyhow::Result<Endpoint> {
        Ok(Endpoint::from_shared(self.url.clone())
            .with_context(|| format!("{} is no URL", self.url))?
            .connect_timeout(Duration::from_secs(1))
            .tcp_nodelay(true)
            .http2_keep_alive_interval(Duration::from_secs(10))
            .keep_alive_timeout(Duration::from_secs(5)))
    }
}

/// Serves one gRPC service and its health until told to stop, then finishes the calls it has begun.
///
/// # Errors
/// When the listener fails.
pub async fn serve<S>(listener: TcpListener, service: S, readiness: Readiness, shutdown: Shutdown) -> anyhow::Result<()>
where
    S: Service<http::Request<Body>, Response = http::Response<Body>, Error = Infallible>
        + NamedService
        + Clone
        + Send
        + Sync
        + 'static,
    S::Future: Send + 'static,
{
    let (reporter, health) = tonic_health::server::health_reporter();
    // Until the first look says otherwise: tonic-health starts with the opposite.
    reporter.set_service_status("", ServingStatus::NotServing).await;
    // From the outside in: span, panic catcher (so that the span sees its answer), deadline.
    let server = Server::builder()
        .layer(telemetry::grpc::ServerLayer)
        .layer(CatchPanicLayer::custom(|_: Box<dyn Any + Send>| Status::internal("internal error").into_http::<Body>()))
        .layer(deadline::ServerLayer)
        .add_service(health)
        .add_service(service)
        .serve_with_incoming_shutdown(
            TcpIncoming::from(listener).with_nodelay(Some(true)),
            shutdown.clone().cancelled_owned(),
        );
    tokio::select! {
        result = server => result.context("serve gRPC"),
        never = readiness.report(reporter, shutdown) => match never {},
    }
}
