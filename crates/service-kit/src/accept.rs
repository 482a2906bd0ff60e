//! What stands between a TCP connection and its first request.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum_server::accept::Accept;
use rustls::ServerConfig;
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::either::Either;
use tower_service::Service;

use crate::http::unreadable::Answered;
use crate::reloaded::Reloaded;
use crate::tls::Tls;
use crate::write_timeout::WriteTimeout;

/// How long a TLS handshake may take.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// Admits connections, and speaks TLS with them if so configured.
#[derive(Clone)]
pub struct Acceptor {
    tls: Option<Arc<Reloaded<ServerConfig>>>,
    slots: Arc<Semaphore>,
    router: Router,
}

impl Acceptor {
    /// `max_connections` are served at once; one more is closed at once, so that it costs nobody else anything.
    ///
    /// # Errors
    /// When a file that `tls` names cannot be used; the message names the setting.
    pub fn new(tls: Option<&Tls>, max_connections: u16) -> anyhow::Result<Self> {
        let tls = tls.map(Tls::server).transpose()?.map(Arc::new);
        Ok(Self { tls, slots: Arc::new(Semaphore::new(max_connections.into())), router: Router::new() })
    }

    /// The router that answers what cannot be read.
    pub(crate) fn answering(self, router: Router) -> Self {
        Self { router, ..self }
    }

    async fn admit<S>(self, stream: TcpStream, service: S) -> io::Result<(Stream, Admitted<S>)> {
        let slot = self.slots.try_acquire_owned().map_err(io::Error::other)?;
        stream.set_nodelay(true)?;
        let stream = WriteTimeout::new(stream);
        let stream = match self.tls {
            None => Either::Left(stream),
            Some(tls) => {
                let acceptor = TlsAcceptor::from(tls.get());
                Either::Right(timeout(HANDSHAKE_TIMEOUT, acceptor.accept(stream)).await??)
            }
        };
        let stream = Answered::new(stream, self.router);
        Ok((stream, Admitted { service, _slot: Arc::new(slot) }))
    }
}

impl std::fmt::Debug for Acceptor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Acceptor").field("tls", &self.tls.is_some()).finish_non_exhaustive()
    }
}

/// The time limit is below TLS, which takes in what it cannot send yet.
type Stream = Answered<Either<WriteTimeout<TcpStream>, TlsStream<WriteTimeout<TcpStream>>>>;

impl<S: Send + 'static> Accept<TcpStream, S> for Acceptor {
    type Stream = Stream;
    type Service = Admitted<S>;
    type Future = Pin<Box<dyn Future<Output = io::Result<(Stream, Admitted<S>)>> + Send>>;

    fn accept(&self, stream: TcpStream, service: S) -> Self::Future {
        Box::pin(self.clone().admit(stream, service))
    }
}

/// A connection's service, which lives as long as the connection and with it the connection's slot.
#[derive(Debug, Clone)]
pub struct Admitted<S> {
    service: S,
    _slot: Arc<OwnedSemaphorePermit>,
}

impl<S: Service<R>, R> Service<R> for Admitted<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.service.poll_ready(cx)
    }

    fn call(&mut self, request: R) -> S::Future {
        self.service.call(request)
    }
}
