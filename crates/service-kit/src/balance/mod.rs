//! Client-side load balancing: every call goes to the copy of a service that has fewest calls in progress.

mod subchannel;

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http::{HeaderValue, Request, Response, Uri, header};
use tokio::net::lookup_host;
use tokio::sync::futures::Notified;
use tokio::sync::{Notify, watch};
use tokio::time::{sleep, timeout};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::AbortOnDropHandle;
use tonic::body::Body;
use tonic::{Code, Status};

use crate::error::chain;
pub(crate) use subchannel::Connector;
use subchannel::Subchannel;

/// How often each end of a connection checks that the other is still there, and how long the answer may take. Without
/// this, a connection whose peer has vanished silently would be kept for ever.
pub(crate) const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(2);
pub(crate) const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(2);

/// How often the addresses of a name are looked up. A new or a lost copy is known after that time.
const LOOKUP_INTERVAL: Duration = Duration::from_secs(5);
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(1);

/// Least time between two lookups, however many calls have no connection.
const LOOKUP_PAUSE: Duration = Duration::from_millis(200);

/// On how many connections a call is tried, as long as it has not been sent.
const ATTEMPTS: usize = 3;

const USER_AGENT: HeaderValue = HeaderValue::from_static(concat!("epro/", env!("CARGO_PKG_VERSION")));

/// Connections to all copies of a service.
#[derive(Debug, Clone)]
pub(crate) struct LoadBalancer {
    copies: Arc<Copies>,
    origin: Uri,
    _until_dropped: Arc<DropGuard>,
}

/// The connections that take calls, and the failures of the others.
#[derive(Debug)]
struct Copies {
    state: watch::Sender<State>,
    wanted: Notify,
    next: AtomicUsize,
}

#[derive(Debug, Default)]
struct State {
    ready: Vec<Subchannel>,
    addresses: usize,
    /// How often a connection could not be opened, or a name could not be looked up.
    failures: usize,
    last: Arc<str>,
}

impl LoadBalancer {
    /// Looks up the hosts and connects to them, repeatedly until the last clone is dropped. Requests are addressed to
    /// the first host.
    pub(crate) fn new(hosts: &[Uri], default_port: u16, connector: Connector) -> Self {
        let targets = hosts.iter().map(|host| {
            // In a URL, an IPv6 address has brackets.
            let name = host.host().unwrap_or_default().trim_matches(['[', ']']);
            (name.to_owned(), host.port_u16().unwrap_or(default_port))
        });
        let targets: Arc<[_]> = targets.collect();
        let lookup = move || {
            let targets = Arc::clone(&targets);
            async move {
                let mut found = Vec::new();
                for (name, port) in &*targets {
                    found.extend(lookup_host((&**name, *port)).await?);
                }
                Ok(found)
            }
        };
        Self::over(hosts.first().cloned().unwrap_or_default(), lookup, connector)
    }

    #[expect(clippy::disallowed_methods, reason = "a connection is nobody's request")]
    fn over(origin: Uri, lookup: impl Lookup, connector: Connector) -> Self {
        let copies = Arc::new(Copies {
            state: watch::Sender::default(),
            wanted: Notify::new(),
            next: AtomicUsize::new(fastrand::usize(..)),
        });
        let stop = CancellationToken::new();
        let resolving = resolve(lookup, connector, Arc::clone(&copies));
        tokio::spawn(stop.clone().run_until_cancelled_owned(resolving));
        Self { copies, origin, _until_dropped: Arc::new(stop.drop_guard()) }
    }

    /// Sends a request to a copy. If the connection ends before the request was sent, the request goes to another copy.
    ///
    /// # Errors
    /// `UNAVAILABLE` when no copy can be connected to or the connection is lost.
    pub(crate) async fn send(&self, request: Request<Body>) -> Result<Response<Body>, Status> {
        let mut request = self.addressed(request)?;
        for _ in 0..ATTEMPTS {
            let mut subchannel = self.copies.pick().await?;
            let calls = Arc::clone(&subchannel.calls);
            match subchannel.requests.try_send_request(request).await {
                Ok(response) => {
                    if is_refusal(&response) {
                        calls.note_refusal();
                    }
                    return Ok(response.map(Body::new));
                }
                Err(mut error) => match error.take_message() {
                    Some(unsent) => request = unsent,
                    None => return Err(lost(&error.into_error())),
                },
            }
        }
        Err(Status::unavailable("every connection ended before the request had left"))
    }

    /// Completes the URI, of which tonic's clients set only the path.
    fn addressed(&self, mut request: Request<Body>) -> Result<Request<Body>, Status> {
        let mut uri = self.origin.clone().into_parts();
        uri.path_and_query = request.uri().path_and_query().cloned();
        *request.uri_mut() = Uri::from_parts(uri).map_err(|error| Status::internal(error.to_string()))?;
        request.headers_mut().insert(header::USER_AGENT, USER_AGENT);
        Ok(request)
    }
}

impl Copies {
    /// The less busy of two neighbouring connections. That is nearly as good as the least busy of all, without
    /// comparing all of them.
    async fn pick(&self) -> Result<Subchannel, Status> {
        if let Some(subchannel) = self.least_loaded() {
            return Ok(subchannel);
        }
        let mut state = self.state.subscribe();
        let before = state.borrow_and_update().failures;
        self.wanted.notify_waiters();
        loop {
            if let Some(subchannel) = self.least_loaded() {
                return Ok(subchannel);
            }
            {
                let now = state.borrow_and_update();
                if now.failures - before >= now.addresses.max(1) {
                    return Err(Status::unavailable(format!("no connection: {}", now.last)));
                }
            }
            state.changed().await.map_err(|error| Status::unavailable(error.to_string()))?;
        }
    }

    fn least_loaded(&self) -> Option<Subchannel> {
        let state = self.state.borrow();
        let first = self.next.fetch_add(1, Ordering::Relaxed).checked_rem(state.ready.len())?;
        let open = state.ready.iter().cycle().skip(first).take(state.ready.len()).filter(|it| it.is_open());
        open.take(2).min_by_key(|subchannel| subchannel.load()).cloned()
    }

    /// Resolves when a call has no connection, even if that happens before the first poll.
    fn wanted(&self) -> Notified<'_> {
        self.wanted.notified()
    }

    fn change(&self, change: impl FnOnce(&mut Vec<Subchannel>)) {
        self.state.send_modify(|state| change(&mut state.ready));
    }

    fn failed(&self, error: &(dyn Error + 'static)) {
        let last = chain(error).into();
        self.state.send_modify(|state| (state.failures, state.last) = (state.failures.wrapping_add(1), last));
    }
}

/// Returns the addresses of all copies.
trait Lookup: Fn() -> Self::Answer + Send + 'static {
    type Answer: Future<Output = io::Result<Vec<SocketAddr>>> + Send;
}

impl<L, A> Lookup for L
where
    L: Fn() -> A + Send + 'static,
    A: Future<Output = io::Result<Vec<SocketAddr>>> + Send,
{
    type Answer = A;
}

/// Keeps a connection to each address while it is polled.
#[expect(clippy::disallowed_methods, reason = "a connection is nobody's request")]
async fn resolve(lookup: impl Lookup, connector: Connector, copies: Arc<Copies>) {
    let mut kept: HashMap<SocketAddr, AbortOnDropHandle<()>> = HashMap::new();
    loop {
        let wanted = copies.wanted();
        match timeout(LOOKUP_TIMEOUT, lookup()).await.map_err(io::Error::from).flatten() {
            Ok(found) if found.is_empty() => copies.failed(&io::Error::other("the name has no address")),
            Ok(found) => {
                kept.retain(|address, _| found.contains(address));
                for address in found {
                    if let Entry::Vacant(vacant) = kept.entry(address) {
                        let keeping = subchannel::keep(address, connector.clone(), Arc::clone(&copies));
                        vacant.insert(AbortOnDropHandle::new(tokio::spawn(keeping)));
                    }
                }
                copies.state.send_modify(|state| state.addresses = kept.len());
            }
            // The addresses that were found before may still be right.
            Err(error) if kept.is_empty() => copies.failed(&error),
            Err(_) => {}
        }
        sleep(LOOKUP_PAUSE).await;
        tokio::select! {
            () = sleep(LOOKUP_INTERVAL) => {}
            () = wanted => {}
        }
    }
}

/// Whether a copy has refused a call for reasons that other copies may not have. Such an answer has no body, so its
/// status is among the headers.
fn is_refusal<B>(response: &Response<B>) -> bool {
    let status = Status::from_header_map(response.headers());
    status.is_some_and(|status| status.code() == Code::Unavailable)
}

fn lost(error: &hyper::Error) -> Status {
    Status::unavailable(format!("the connection is lost: {}", chain(error)))
}

#[cfg(test)]
mod tests;
