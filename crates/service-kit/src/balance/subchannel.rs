//! One connection to one copy of a service. It is opened again whenever it is lost.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper::rt::{Read, Write};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};
use tonic::body::Body;
use tower::{Service, ServiceExt};

use super::{Copies, KEEP_ALIVE_INTERVAL, KEEP_ALIVE_TIMEOUT};
use crate::mesh;

/// How long opening a connection may take, including the handshake.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// Shortest and longest pause between two attempts; a call without another connection ends the pause. A connection that
/// has lasted longer than the shortest pause is opened again at once.
const SHORTEST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// How long a copy that has refused a call is avoided, and as how many waiting calls that counts.
const AVOIDED_FOR: Duration = Duration::from_secs(5);
const LOAD_OF_REFUSING: usize = 1000;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// How connections are opened.
#[derive(Debug, Clone)]
pub(crate) enum Connector {
    Cleartext(HttpConnector),
    Secured(mesh::Connector),
}

impl Connector {
    pub(crate) fn cleartext() -> Self {
        let mut tcp = HttpConnector::new();
        tcp.set_nodelay(true);
        Self::Cleartext(tcp)
    }
}

/// A connection that takes calls.
#[derive(Debug, Clone)]
pub(super) struct Subchannel {
    address: SocketAddr,
    pub(super) requests: SendRequest<Body>,
    /// Has a clone for every call that waits for its answer.
    pub(super) calls: Arc<Calls>,
}

/// What the calls of a connection share.
#[derive(Debug, Default)]
pub(super) struct Calls {
    refused: Mutex<Option<Instant>>,
}

impl Calls {
    /// Notes that the copy has refused a call, so that it is avoided for a while.
    pub(super) fn note_refusal(&self) {
        *self.refused.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    fn was_refused_lately(&self) -> bool {
        let refused = *self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        refused.is_some_and(|refused| refused.elapsed() < AVOIDED_FOR)
    }
}

impl Subchannel {
    pub(super) fn is_open(&self) -> bool {
        !self.requests.is_closed()
    }

    /// The number of calls that wait for their answers. A copy that refuses calls at once has few of them and would get
    /// most of the next ones, so it counts as busier than the others for a while.
    pub(super) fn load(&self) -> usize {
        let refusing = if self.calls.was_refused_lately() { LOAD_OF_REFUSING } else { 0 };
        Arc::strong_count(&self.calls) + refusing
    }
}

/// Keeps a connection to an address while it is polled. Running calls get their answers even after it is dropped.
pub(super) async fn keep(address: SocketAddr, connector: Connector, copies: Arc<Copies>) {
    let pauses = || {
        let pauses = ExponentialBuilder::default().with_min_delay(SHORTEST_PAUSE).with_max_delay(LONGEST_PAUSE);
        pauses.without_max_times().with_jitter().build()
    };
    let mut pause = pauses();
    loop {
        // Registered before the attempt, so that a call is not missed that comes right after a failure.
        let wanted = copies.wanted();
        let opening = timeout(CONNECT_TIMEOUT, open(address, &connector));
        match opening.await.map_err(BoxError::from).and_then(|opened| opened) {
            Ok((requests, connection)) => {
                let opened = Instant::now();
                let subchannel = Subchannel { address, requests, calls: Arc::default() };
                let listed = Listed::new(subchannel, &copies);
                // It ends when the peer closes the connection, or announces that it will.
                let _ = connection.await;
                drop(listed);
                if opened.elapsed() > SHORTEST_PAUSE {
                    pause = pauses();
                    continue;
                }
            }
            Err(error) => copies.failed(&*error),
        }
        tokio::select! {
            () = sleep(pause.next().unwrap_or(LONGEST_PAUSE)) => {}
            () = wanted => {}
        }
    }
}

/// Lists a subchannel among those that take calls, until this is dropped.
struct Listed<'c> {
    address: SocketAddr,
    copies: &'c Copies,
}

impl<'c> Listed<'c> {
    fn new(subchannel: Subchannel, copies: &'c Copies) -> Self {
        let address = subchannel.address;
        copies.change(|ready| ready.push(subchannel));
        Self { address, copies }
    }
}

impl Drop for Listed<'_> {
    fn drop(&mut self) {
        self.copies.change(|ready| ready.retain(|subchannel| subchannel.address != self.address));
    }
}

type Opened = (SendRequest<Body>, JoinHandle<()>);

async fn open(address: SocketAddr, connector: &Connector) -> Result<Opened, BoxError> {
    let uri = format!("http://{address}").parse()?;
    match connector.clone() {
        Connector::Cleartext(mut tcp) => shake_hands(tcp.ready().await?.call(uri).await?).await,
        Connector::Secured(mut tls) => shake_hands(tls.ready().await?.call(uri).await?).await,
    }
}

#[expect(clippy::disallowed_methods, reason = "a connection is nobody's request")]
async fn shake_hands<S: Read + Write + Unpin + Send + 'static>(stream: S) -> Result<Opened, BoxError> {
    let mut http = Builder::new(TokioExecutor::new());
    http.timer(TokioTimer::new()).keep_alive_interval(KEEP_ALIVE_INTERVAL).keep_alive_timeout(KEEP_ALIVE_TIMEOUT);
    // Otherwise the next call would be the first to notice a dead connection, and fail.
    http.keep_alive_while_idle(true);
    let (requests, connection) = http.handshake(stream).await?;
    // In its own task, so that running calls are answered even when `keep` is dropped.
    let connection = tokio::spawn(async move {
        let _ = connection.await;
    });
    Ok((requests, connection))
}
