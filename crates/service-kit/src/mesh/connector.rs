//! Opens connections to another service.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::Uri;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tower_service::Service;

use crate::reloaded::Reloaded;

/// Opens TCP connections with TLS, to peers that have a certificate for one name.
#[derive(Debug, Clone)]
pub(crate) struct Connector {
    tcp: HttpConnector,
    tls: Arc<Reloaded<ClientConfig>>,
    name: ServerName<'static>,
}

impl Connector {
    pub(super) fn new(tls: Arc<Reloaded<ClientConfig>>, name: &'static str) -> anyhow::Result<Self> {
        let mut tcp = HttpConnector::new();
        tcp.set_nodelay(true);
        Ok(Self { tcp, tls, name: ServerName::try_from(name)? })
    }
}

type BoxError = Box<dyn std::error::Error + Send + Sync>;
type Connecting = Pin<Box<dyn Future<Output = Result<TokioIo<TlsStream<TcpStream>>, BoxError>> + Send>>;

impl Service<Uri> for Connector {
    type Response = TokioIo<TlsStream<TcpStream>>;
    type Error = BoxError;
    type Future = Connecting;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.tcp.poll_ready(cx).map_err(BoxError::from)
    }

    /// Has no timeout of its own, because the caller's timeout covers both steps.
    fn call(&mut self, uri: Uri) -> Connecting {
        let connecting = self.tcp.call(uri);
        let (tls, name) = (self.tls.get(), self.name.clone());
        Box::pin(async move {
            let stream = connecting.await?.into_inner();
            let secured = TlsConnector::from(tls).connect(name.clone(), stream).await;
            let secured = secured.inspect_err(|error| {
                telemetry::warn!(service = %name.to_str(), error = %error, "TLS handshake failed");
            });
            Ok(TokioIo::new(secured?))
        })
    }
}
