//! Connections of other services, each with who has opened it.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::{Stream, StreamExt, stream};
use rustls::pki_types::CertificateDer;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::either::Either;
use tonic::transport::server::Connected;
use webpki::EndEntityCert;

use super::Mesh;

/// How long a TLS handshake may take.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(2);
/// Handshakes at once; more connections wait in the kernel's queue.
const HANDSHAKES: usize = 256;
/// How long no connection is taken when the machine has no room for one.
const EXHAUSTED: Duration = Duration::from_millis(100);

/// Who has opened a connection; an extension of its requests.
#[derive(Debug, Clone)]
pub(crate) enum Caller {
    /// There is no mesh: nobody was asked.
    Anybody,
    /// It has shown no certificate.
    Stranger,
    /// The names in its certificate, which the mesh's authority has signed.
    Known(Arc<[String]>),
}

/// A connection that is open, and secured where there is a mesh.
pub(crate) struct Connection {
    stream: Either<TcpStream, TlsStream<TcpStream>>,
    caller: Caller,
}

/// The connections of a listener. A handshake that fails is a line in the log, and a machine without room for another
/// connection a reason to wait.
pub(crate) fn incoming(listener: TcpListener, mesh: Mesh) -> impl Stream<Item = io::Result<Connection>> {
    let accepted = stream::unfold(listener, async |listener| Some((accept(&listener).await, listener)));
    let opened = accepted.map(move |stream| open(stream, mesh.clone())).buffer_unordered(HANDSHAKES);
    opened.filter_map(async |connection| match connection {
        Ok(connection) => Some(Ok(connection)),
        Err(error) => {
            telemetry::warn!(error = %error, "a connection was not let in");
            None
        }
    })
}

async fn accept(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return stream,
            // Of that one connection, which is gone already.
            Err(error) if is_over(error.kind()) => {}
            Err(error) => {
                telemetry::warn!(error = %error, "no connection can be taken");
                sleep(EXHAUSTED).await;
            }
        }
    }
}

fn is_over(error: io::ErrorKind) -> bool {
    matches!(error, io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::Interrupted)
}

async fn open(stream: TcpStream, mesh: Mesh) -> io::Result<Connection> {
    stream.set_nodelay(true)?;
    let Some(identity) = mesh.0 else {
        return Ok(Connection { stream: Either::Left(stream), caller: Caller::Anybody });
    };
    let acceptor = TlsAcceptor::from(identity.server.get());
    let stream = timeout(HANDSHAKE_TIMEOUT, acceptor.accept(stream)).await??;
    let caller = caller(stream.get_ref().1.peer_certificates());
    Ok(Connection { stream: Either::Right(stream), caller })
}

/// The handshake has checked the certificate.
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
