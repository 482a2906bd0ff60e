//! Admits TCP connections: limits, timeouts and TLS before the first request.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::Router;
use axum_server::accept::Accept;
use pin_project_lite::pin_project;
use rustls::ServerConfig;
use serde::Deserialize;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::either::Either;
use tower_service::Service;

use super::intake::{Counted, Intake};
use super::unreadable::Answered;
use super::write_timeout::WriteTimeout;
use crate::attribute::CONNECTION_LIMIT;
use crate::network::Networks;
use crate::pool::{Full, Pool, REFUSED, Share};
use crate::reloaded::Reloaded;
use crate::tls::Tls;

/// How long a TLS handshake may take.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// One address may have one part in so many of the memory for large requests.
const STORE_PARTS: usize = 8;

/// Admits connections, and does their TLS handshake if TLS is configured.
#[derive(Clone)]
pub struct Acceptor {
    tls: Option<Arc<Reloaded<ServerConfig>>>,
    connections: Arc<Pool>,
    /// Memory in bytes that all connections share for large requests.
    store: Arc<Pool>,
    pub(crate) farewell: Duration,
    router: Router,
}

/// Limits on the number of connections, and on the memory of their requests.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConnectionLimits {
    /// Connections at the same time.
    pub most: u16,
    /// Connections of one address at the same time.
    pub most_of_address: u16,
    /// Memory in bytes for all requests that are still being received, beyond the 16 KiB that each connection has for
    /// itself. One address may have an eighth of it.
    pub unanswered: usize,
    /// How long a stopping server still takes requests. Each answer is then the last one on its connection.
    #[serde(with = "humantime_serde")]
    pub farewell: Duration,
}

impl Acceptor {
    /// A connection beyond a limit is closed at once, so that it takes nothing from others. Addresses of `proxies` have
    /// only the limit of all together, no limit of their own.
    ///
    /// # Errors
    /// When a file that `tls` names cannot be used; the message names the setting.
    pub fn new(tls: Option<&Tls>, limits: ConnectionLimits, proxies: Networks) -> anyhow::Result<Self> {
        let tls = tls.map(Tls::server).transpose()?.map(Arc::new);
        // An address without an open connection is always admitted.
        let most_of_address = limits.most_of_address.max(1);
        let connections = Pool::new(limits.most.into(), most_of_address.into(), proxies.clone());
        let store = Pool::new(limits.unanswered, limits.unanswered / STORE_PARTS, proxies);
        Ok(Self { tls, connections, store, farewell: limits.farewell, router: Router::new() })
    }

    /// Sets the router that answers unreadable requests.
    pub(crate) fn answering(self, router: Router) -> Self {
        Self { router, ..self }
    }

    async fn admit<S>(self, stream: TcpStream, service: S) -> io::Result<(Stream, Admitted<S>)> {
        let peer = stream.peer_addr()?.ip();
        let mut slot = self.connections.share(peer);
        slot.grow_to(1).map_err(refuse)?;
        stream.set_nodelay(true)?;
        let intake = Intake::new(self.store.share(peer));
        let stream = Counted::new(WriteTimeout::new(stream), Arc::clone(&intake));
        let stream = match self.tls {
            None => Either::Left(stream),
            Some(tls) => {
                let acceptor = TlsAcceptor::from(tls.get());
                Either::Right(timeout(HANDSHAKE_TIMEOUT, acceptor.accept(stream)).await??)
            }
        };
        let stream = Answered::new(stream, self.router);
        Ok((stream, Admitted { service, intake, _slot: Arc::new(slot) }))
    }
}

fn refuse(full: Full) -> io::Error {
    let limit = match full {
        Full::All => "all",
        Full::Address => "address",
    };
    REFUSED.add(1, &[(CONNECTION_LIMIT, limit)]);
    io::ErrorKind::ConnectionRefused.into()
}

impl std::fmt::Debug for Acceptor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Acceptor").field("tls", &self.tls.is_some()).finish_non_exhaustive()
    }
}

/// The limits are below TLS, because TLS buffers what it cannot send yet, and accepts handshakes of any length.
type Stream = Answered<Either<Tcp, TlsStream<Tcp>>>;
type Tcp = Counted<WriteTimeout<TcpStream>>;

impl<S: Send + 'static> Accept<TcpStream, S> for Acceptor {
    type Stream = Stream;
    type Service = Admitted<S>;
    type Future = Pin<Box<dyn Future<Output = io::Result<(Stream, Admitted<S>)>> + Send>>;

    fn accept(&self, stream: TcpStream, service: S) -> Self::Future {
        Box::pin(self.clone().admit(stream, service))
    }
}

/// The service of a connection. It lives as long as the connection, and holds the connection's slot until then.
#[derive(Debug, Clone)]
pub struct Admitted<S> {
    service: S,
    intake: Arc<Intake>,
    _slot: Arc<Share>,
}

impl<S: Service<R>, R> Service<R> for Admitted<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = Answer<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.service.poll_ready(cx)
    }

    fn call(&mut self, request: R) -> Answer<S::Future> {
        Answer { answer: self.service.call(request), intake: Arc::clone(&self.intake) }
    }
}

pin_project! {
    /// A response in the making. When it is ready, the memory of its request is released.
    #[derive(Debug)]
    pub struct Answer<F> {
        #[pin]
        answer: F,
        intake: Arc<Intake>,
    }
}

impl<F: Future> Future for Answer<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let answer = ready!(this.answer.poll(cx));
        this.intake.answered();
        Poll::Ready(answer)
    }
}
