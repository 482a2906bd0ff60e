//! Serving and calling over gRPC.

use std::any::Any;
use std::convert::Infallible;
use std::time::Duration;

use anyhow::{Context, bail};
use http::Uri;
use serde::Deserialize;
use telemetry::grpc::TracedChannel;
use tokio::net::TcpListener;
use tonic::Status;
use tonic::body::Body;
use tonic::server::NamedService;
use tonic::transport::Server;
use tonic_health::ServingStatus;
use tower::Service;
use tower_http::catch_panic::CatchPanicLayer;

use crate::balance::{Connector, KEEP_ALIVE_INTERVAL, KEEP_ALIVE_TIMEOUT, LoadBalancer};
use crate::deadline;
use crate::fault::Faults;
use crate::health::{self, HealthClient, Readiness};
use crate::mesh::{AuthorizationLayer, Caller, Mesh, incoming};
use crate::shutdown::Shutdown;

/// The age at which a connection is replaced by another one, without losing a call. So certificates are checked again,
/// and new copies of a service get their share of calls.
const CONNECTION_AGE: Duration = Duration::from_mins(10);

/// A traced channel whose calls carry what is left of their callers' deadlines.
pub type UpstreamChannel = TracedChannel<deadline::Client>;

/// A service that this one calls.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Upstream {
    /// `http://host:port`, or `https://host:port` with a mesh. If no name has the addresses of all copies: several
    /// hosts, separated by commas, `http://10.0.0.1:50053,10.0.0.2:50053`.
    pub url: String,
    /// How long one call may take, unless the caller's own deadline is earlier.
    #[serde(with = "humantime_serde")]
    pub timeout: Duration,
}

impl Upstream {
    /// A channel to all copies of the service: to all addresses of the URL's hosts. `name` is the service's
    /// `service.name` and the name in its certificate.
    ///
    /// Must run inside the runtime.
    ///
    /// # Errors
    /// When the URL is invalid, or its scheme is not the one that the mesh demands.
    pub fn channel(&self, name: &'static str, mesh: &Mesh) -> anyhow::Result<UpstreamChannel> {
        let (copies, uri) = self.connect(name, mesh)?;
        // Inside the span, so that the span shows that a call has timed out.
        let copies = deadline::Client::new(copies, self.timeout);
        Ok(TracedChannel::over(copies, &uri, name))
    }

    /// A client for the service's health. Its calls make no spans.
    ///
    /// # Errors
    /// The same as those of [`Upstream::channel`].
    pub fn health(&self, name: &'static str, mesh: &Mesh) -> anyhow::Result<HealthClient> {
        Ok(HealthClient(deadline::Client::new(self.connect(name, mesh)?.0, health::PATIENCE)))
    }

    /// A scheme that contradicts the mesh settings is an error, so that no call is in cleartext by mistake.
    fn connect(&self, name: &'static str, mesh: &Mesh) -> anyhow::Result<(LoadBalancer, Uri)> {
        let setting = name.replace('-', "_");
        let hosts = self.hosts().with_context(|| format!("{setting}.url: {} is no URL", self.url))?;
        let (port, connector) = match (hosts[0].scheme_str(), mesh.connector(name)?) {
            (Some("http"), None) => (80, Connector::cleartext()),
            (Some("https"), Some(connector)) => (443, Connector::Secured(connector)),
            (Some("https"), None) => {
                bail!("{setting}.url is https, and there is no mesh block that says whom to trust")
            }
            (Some("http"), Some(_)) => bail!("{setting}.url is http, although there is a mesh block"),
            _ => bail!("{setting}.url: {} is neither http nor https", self.url),
        };
        Ok((LoadBalancer::new(&hosts, port, connector), hosts[0].clone()))
    }

    /// Each host with the scheme of the URL; at least one.
    fn hosts(&self) -> Result<Vec<Uri>, http::uri::InvalidUri> {
        let (scheme, hosts) = self.url.split_at(self.url.find("://").map_or(0, |at| at + 3));
        hosts.split(',').map(|host| format!("{scheme}{}", host.trim()).parse()).collect()
    }
}

/// Serves one gRPC service and its health until shutdown, then finishes the running calls.
///
/// # Errors
/// When the server fails.
pub async fn serve<S>(
    listener: TcpListener,
    mesh: Mesh,
    service: S,
    readiness: Readiness,
    faults: Faults,
    shutdown: Shutdown,
) -> anyhow::Result<()>
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
    // Not serving until the first readiness check; tonic-health starts as serving.
    reporter.set_service_status("", ServingStatus::NotServing).await;
    // From the outside in: span, panic catcher (so that the span sees its answer), authorization, deadline,
    // faults.
    let spans = telemetry::grpc::ServerLayer::new(&["grpc.health.v1.Health"])
        .strangers(|extensions| matches!(extensions.get(), Some(Caller::Stranger)));
    let server = Server::builder()
        .http2_keepalive_interval(Some(KEEP_ALIVE_INTERVAL))
        .http2_keepalive_timeout(Some(KEEP_ALIVE_TIMEOUT))
        .max_connection_age(CONNECTION_AGE)
        .layer(spans)
        .layer(CatchPanicLayer::custom(|_: Box<dyn Any + Send>| Status::internal("internal error").into_http::<Body>()))
        .layer(AuthorizationLayer)
        .layer(deadline::ServerLayer)
        .layer(faults.layer(Status::into_http))
        .add_service(health)
        .add_service(service)
        .serve_with_incoming_shutdown(Box::pin(incoming(listener, mesh)), shutdown.clone().cancelled_owned());
    tokio::select! {
        result = server => result.context("serve gRPC"),
        never = readiness.report(reporter, shutdown) => match never {},
    }
}

#[cfg(test)]
mod tests {
    use std::future::{Ready, ready};
    use std::task::{Context, Poll};

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;
    use tokio::time::{Instant, timeout};

    use super::*;

    #[derive(Clone)]
    struct Nothing;

    impl NamedService for Nothing {
        const NAME: &'static str = "nothing";
    }

    impl Service<http::Request<Body>> for Nothing {
        type Response = http::Response<Body>;
        type Error = Infallible;
        type Future = Ready<Result<Self::Response, Infallible>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, _: http::Request<Body>) -> Self::Future {
            ready(Ok(http::Response::default()))
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_says_nothing_any_more_loses_its_connection() {
        // RFC 9113, section 3.4: the preface, and a SETTINGS frame with nothing in it.
        const HELLO: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut peer = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let shutdown = Shutdown::new();
        let (mesh, faults) = (Mesh::open(None).unwrap(), Faults::new(false, "nothing"));
        let serving = serve(listener, mesh, Nothing, Readiness::Always, faults, shutdown.clone());
        let silence = async {
            peer.write_all(HELLO).await.unwrap();
            let started = Instant::now();
            // How it is closed does not matter.
            let _ = timeout(Duration::from_mins(10), peer.read_to_end(&mut Vec::new())).await.unwrap();
            shutdown.cancel();
            started.elapsed()
        };
        let (served, kept) = tokio::join!(serving, silence);
        served.unwrap();
        assert!((KEEP_ALIVE_TIMEOUT..Duration::from_mins(1)).contains(&kept), "{kept:?}");
    }
}
