//! Connections from other services, each with the identity of its caller.

use std::future::ready;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::{Stream, StreamExt, stream};
use rustls::pki_types::CertificateDer;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::either::Either;
use tonic::transport::server::Connected;
use webpki::EndEntityCert;

use super::Mesh;
use crate::attribute::CONNECTION_LIMIT;
use crate::network::Networks;
use crate::pool::{Pool, REFUSED, Share};

/// How long a TLS handshake may take.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(2);
/// Handshakes at the same time; more connections wait in the kernel's queue.
const HANDSHAKES: usize = 256;
/// Handshakes of one address, so that one address cannot make all others wait.
const HANDSHAKES_OF_ADDRESS: usize = 32;
/// Connections at the same time, in all and of one address. Behind a sidecar proxy, all come from one address.
const CONNECTIONS: usize = 10_000;
const CONNECTIONS_OF_ADDRESS: usize = 1000;
/// At most one warning about refused connections is logged in this time.
const SAID: Duration = Duration::from_secs(10);
/// How long to wait when the machine has no resources for another connection.
const EXHAUSTED: Duration = Duration::from_millis(100);

/// The caller who has opened a connection; an extension of its requests.
#[derive(Debug, Clone)]
pub(crate) enum Caller {
    /// There is no mesh, so callers are not identified.
    Anybody,
    /// The caller has shown no certificate.
    Stranger,
    /// The names in its certificate, which the mesh's authority has signed.
    Known(Arc<[String]>),
}

/// A connection that is open, and secured where there is a mesh.
pub(crate) struct Connection {
    stream: Either<TcpStream, TlsStream<TcpStream>>,
    caller: Caller,
    _share: Share,
}

/// The limits on handshakes and connections.
#[derive(Clone)]
struct Pools {
    handshakes: Arc<Pool>,
    connections: Arc<Pool>,
}

/// The connections of a listener. Connections that are refused are counted, and some of them logged. When the machine
/// has no resources for another connection, the listener waits.
pub(crate) fn incoming(listener: TcpListener, mesh: Mesh) -> impl Stream<Item = io::Result<Connection>> {
    let pools = Pools {
        handshakes: Pool::new(HANDSHAKES, HANDSHAKES_OF_ADDRESS, Networks::default()),
        connections: Pool::new(CONNECTIONS, CONNECTIONS_OF_ADDRESS, Networks::default()),
    };
    let accepted = stream::unfold(listener, async |listener| Some((accept(&listener).await, listener)));
    let opened = accepted.map(move |stream| open(stream, mesh.clone(), pools.clone())).buffer_unordered(HANDSHAKES);
    let mut said = None;
    opened.filter_map(move |connection| {
        let connection = connection.inspect_err(|error| {
            REFUSED.add(1, &[(CONNECTION_LIMIT, "mesh")]);
            if said.is_none_or(|said: Instant| said.elapsed() > SAID) {
                said = Some(Instant::now());
                telemetry::warn!(error = %error, "a connection was refused");
            }
        });
        ready(connection.ok().map(Ok))
    })
}

async fn accept(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return stream,
            // The error is about that one connection, which is gone already.
            Err(error) if is_over(error.kind()) => {}
            Err(error) => {
                telemetry::warn!(error = %error, "no connection can be accepted");
                sleep(EXHAUSTED).await;
            }
        }
    }
}

fn is_over(error: io::ErrorKind) -> bool {
    matches!(error, io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::Interrupted)
}

async fn open(stream: TcpStream, mesh: Mesh, pools: Pools) -> io::Result<Connection> {
    let peer = stream.peer_addr()?.ip();
    let [mut handshake, mut share] = [pools.handshakes, pools.connections].map(|pool| pool.share(peer));
    let full = |_| io::Error::new(io::ErrorKind::ConnectionRefused, "there are too many connections");
    share.grow_to(1).map_err(full)?;
    handshake.grow_to(1).map_err(full)?;
    stream.set_nodelay(true)?;
    let Some(identity) = mesh.0 else {
        return Ok(Connection { stream: Either::Left(stream), caller: Caller::Anybody, _share: share });
    };
    let acceptor = TlsAcceptor::from(identity.server.get());
    let stream = timeout(HANDSHAKE_TIMEOUT, acceptor.accept(stream)).await??;
    let caller = caller(stream.get_ref().1.peer_certificates());
    Ok(Connection { stream: Either::Right(stream), caller, _share: share })
}

/// The identity in the peer's certificate, which the handshake has verified.
fn caller(certificates: Option<&[CertificateDer<'_>]>) -> Caller {
    let certificate = certificates.and_then(<[_]>::first);
    let Some(Ok(certificate)) = certificate.map(EndEntityCert::try_from) else { return Caller::Stranger };
    Caller::Known(certificate.valid_dns_names().map(str::to_owned).collect())
}

impl Connected for Connection {
    type ConnectInfo = Caller;

    fn connect_info(&self) -> Caller {
        self.caller.clone()
    }
}

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
