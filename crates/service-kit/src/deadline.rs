//! Deadline propagation: each call carries what is left of its caller's deadline.
//!
//! Between services it is the standard `grpc-timeout` header. Inside a process it is a task-local, so that no function
//! has to pass it on. Spawned tasks start without a deadline.

use std::future::Future;
use std::task::{Context, Poll};
use std::time::Duration;

use http::{HeaderMap, HeaderValue, Request, Response};
use std::pin::Pin;
use tokio::time::{Instant, error::Elapsed, timeout, timeout_at};
use tonic::Status;
use tonic::body::Body;
use tower_layer::Layer;
use tower_service::Service;

use crate::balance::LoadBalancer;

/// A server gives up this much before its caller's deadline, so that the caller still gets an answer.
const MARGIN: Duration = Duration::from_millis(10);

/// The time for a call whose caller sends no deadline. All our services send one.
const DEFAULT_BUDGET: Duration = Duration::from_secs(30);

tokio::task_local! {
    static DEADLINE: Instant;
}

type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Runs a future with a deadline of `budget` from now, which also limits every call that it makes. An earlier outer
/// deadline stays in force.
///
/// # Errors
/// When the deadline passes; the future is dropped then.
pub async fn within<F: Future>(budget: Duration, future: F) -> Result<F::Output, Elapsed> {
    let mut deadline = Instant::now() + budget;
    if let Ok(outer) = DEADLINE.try_with(|outer| *outer) {
        deadline = deadline.min(outer);
    }
    DEADLINE.scope(deadline, timeout_at(deadline, future)).await
}

/// Applies the callers' deadlines to the calls of a server.
#[derive(Debug, Clone, Copy, Default)]
pub struct ServerLayer;

impl<S> Layer<S> for ServerLayer {
    type Service = Server<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Server { inner }
    }
}

/// The service made by [`ServerLayer`].
#[derive(Debug, Clone)]
pub struct Server<S> {
    inner: S,
}

impl<S, B, R> Service<Request<B>> for Server<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Future: Send + 'static,
    R: Default + 'static,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = BoxFuture<Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let budget = timeout_in(request.headers()).unwrap_or(DEFAULT_BUDGET);
        let response = within(budget.saturating_sub(MARGIN), self.inner.call(request));
        Box::pin(async move {
            response.await.unwrap_or_else(|_| Ok(Status::deadline_exceeded("the deadline has passed").into_http()))
        })
    }
}

/// Gives every call what is left of the deadline, but at most `timeout`.
#[derive(Debug, Clone)]
pub struct Client {
    inner: LoadBalancer,
    timeout: Duration,
}

impl Client {
    pub(crate) fn new(inner: LoadBalancer, timeout: Duration) -> Self {
        Self { inner, timeout }
    }
}

impl Service<Request<Body>> for Client {
    type Response = Response<Body>;
    type Error = Status;
    type Future = BoxFuture<Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let left = DEADLINE.try_with(|deadline| deadline.saturating_duration_since(Instant::now()));
        let budget = left.map_or(self.timeout, |left| left.min(self.timeout));
        request.headers_mut().insert("grpc-timeout", header(budget));
        let inner = self.inner.clone();
        Box::pin(async move {
            let answer = timeout(budget, inner.send(request)).await;
            answer.unwrap_or_else(|_| Ok(Status::deadline_exceeded("no answer before the deadline").into_http()))
        })
    }
}

/// The value of the header: at most eight digits and a unit (gRPC over HTTP/2, "Timeout").
fn header(budget: Duration) -> HeaderValue {
    const LIMIT: u128 = 99_999_999;
    let text = match budget.as_micros() {
        micros @ ..=LIMIT => format!("{micros}u"),
        _ => format!("{}m", budget.as_millis().min(LIMIT)),
    };
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("0u"))
}

fn timeout_in(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get("grpc-timeout")?.to_str().ok()?;
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.len() > 8 {
        return None;
    }
    let count: u64 = digits.parse().ok()?;
    match unit {
        "H" => Some(Duration::from_secs(count * 3600)),
        "M" => Some(Duration::from_secs(count * 60)),
        "S" => Some(Duration::from_secs(count)),
        "m" => Some(Duration::from_millis(count)),
        "u" => Some(Duration::from_micros(count)),
        "n" => Some(Duration::from_nanos(count)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::future::pending;

    use http::HeaderName;
    use proto::user::ListSiteContactsRequest;
    use proto::user::user_service_client::UserServiceClient;
    use tokio::net::{TcpSocket, TcpStream};
    use tonic::Code;

    use super::*;
    use crate::grpc::Upstream;
    use crate::mesh::Mesh;

    const GRPC_TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");

    #[tokio::test]
    async fn a_call_to_a_peer_that_does_not_let_us_connect_ends_in_time() {
        const BUDGET: Duration = Duration::from_millis(200);
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let listener = socket.listen(1).unwrap();
        let address = listener.local_addr().unwrap();
        // Fills the listener's queue, so that the next connection gets no answer.
        let mut queue = Vec::new();
        while let Ok(stream) = timeout(Duration::from_millis(100), TcpStream::connect(address)).await {
            queue.push(stream.unwrap());
        }

        let channel = Upstream { url: format!("http://{address}"), timeout: BUDGET };
        let channel = channel.channel("peer", &Mesh::open(None).unwrap()).unwrap();
        let mut client = UserServiceClient::new(channel);
        let started = Instant::now();
        let status = client.list_site_contacts(ListSiteContactsRequest::default()).await.unwrap_err();
        assert_eq!(status.code(), Code::DeadlineExceeded);
        assert!(started.elapsed() < BUDGET * 3, "{:?}", started.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_ends_with_its_callers_deadline_and_without_one_in_half_a_minute() {
        let never = tower::service_fn(async |_: Request<()>| pending::<Result<Response<()>, Infallible>>().await);
        let mut server = ServerLayer.layer(never);
        for (timeout, limit) in [(Some("5S"), 5), (None, 30), (Some("soon"), 30)] {
            let mut request = Request::new(());
            request.headers_mut().extend(timeout.map(|text| (GRPC_TIMEOUT, HeaderValue::from_static(text))));
            let started = Instant::now();
            let answer = server.call(request).await.unwrap();
            assert_eq!(answer.headers()["grpc-status"], i32::from(Code::DeadlineExceeded).to_string(), "{timeout:?}");
            assert_eq!(started.elapsed() + MARGIN, Duration::from_secs(limit), "{timeout:?}");
        }
    }

    #[test]
    fn a_timeout_survives_the_header() {
        for budget in [Duration::ZERO, Duration::from_millis(1500), Duration::from_secs(99), Duration::from_secs(5000)]
        {
            let mut headers = HeaderMap::new();
            headers.insert("grpc-timeout", header(budget));
            assert_eq!(timeout_in(&headers), Some(budget));
        }
    }

    #[test]
    fn a_header_that_is_no_timeout_is_ignored() {
        for text in ["", "5", "S", "-5S", "123456789S", "5x", "é"] {
            let mut headers = HeaderMap::new();
            headers.extend(HeaderValue::from_str(text).ok().map(|value| (GRPC_TIMEOUT, value)));
            assert_eq!(timeout_in(&headers), None, "{text}");
        }
    }
}
