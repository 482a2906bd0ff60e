//! A caller's deadline travels with the call and shrinks down the chain.
//!
//! It is the standard `grpc-timeout` header on the wire and a task-local in between, so that no
//! function has to pass it on. Spawned tasks start without one.

use std::future::Future;
use std::task::{Context, Poll};
use std::time::Duration;

use http::{HeaderMap, HeaderValue, Request, Response};
use std::pin::Pin;
use telemetry::grpc::{self, TracedBody};
use tokio::time::{Instant, error::Elapsed, timeout_at};
use tonic::body::Body;
use tonic::{Status, TimeoutExpired, transport};
use tower_layer::Layer;
use tower_service::Service;

/// A server gives up this much before its caller does, so that the caller gets an answer.
const MARGIN: Duration = Duration::from_millis(10);

tokio::task_local! {
    static DEADLINE: Instant;
}

type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Runs a future that has `budget` time, and with it every call it makes.
///
/// # Errors
/// When the time runs out; the future is dropped then.
pub async fn within<F: Future>(budget: Duration, future: F) -> Result<F::Output, Elapsed> {
    let mut deadline = Instant::now() + budget;
    if let Ok(outer) = DEADLINE.try_with(|outer| *outer) {
        deadline = deadline.min(outer);
    }
    DEADLINE.scope(deadline, timeout_at(deadline, future)).await
}

/// Holds a server's calls to their callers' deadlines.
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
        let budget = timeout_in(request.headers());
        let response = self.inner.call(request);
        Box::pin(async move {
            match budget {
                None => response.await,
                Some(budget) => within(budget.saturating_sub(MARGIN), response)
                    .await
                    .unwrap_or_else(|_| Ok(Status::deadline_exceeded("the deadline has passed").into_http())),
            }
        })
    }
}

/// A traced channel whose every call carries what is left of the deadline, and `timeout` at most.
#[derive(Debug, Clone)]
pub struct Channel {
    inner: grpc::Channel,
    timeout: Duration,
}

impl Channel {
    pub(crate) fn new(inner: grpc::Channel, timeout: Duration) -> Self {
        Self { inner, timeout }
    }
}

impl Service<Request<Body>> for Channel {
    type Response = Response<TracedBody<Body>>;
    type Error = transport::Error;
    type Future = BoxFuture<Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let left = DEADLINE.try_with(|deadline| deadline.saturating_duration_since(Instant::now()));
        let budget = left.map_or(self.timeout, |left| left.min(self.timeout));
        request.headers_mut().insert("grpc-timeout", header(budget));
        let response = self.inner.call(request);
        Box::pin(async move {
            match response.await {
                // tonic would call it cancelled.
                Err(error) if is_timeout(&error) => {
                    Ok(Status::deadline_exceeded("no answer before the deadline").into_http())
                }
                answer => answer,
            }
        })
    }
}

fn is_timeout(error: &transport::Error) -> bool {
    let mut source: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = source {
        if error.is::<TimeoutExpired>() {
            return true;
        }
        source = error.source();
    }
    false
}

/// At most eight digits and a unit (gRPC over HTTP/2, "Timeout").
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
    use super::*;

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
            headers.extend(
                HeaderValue::from_str(text).ok().map(|value| (http::HeaderName::from_static("grpc-timeout"), value)),
            );
            assert_eq!(timeout_in(&headers), None, "{text}");
        }
    }
}
