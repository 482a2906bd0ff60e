use std::task::{Context, Poll};

use futures_util::future::BoxFuture;
use http::{Request, Response};
use tonic::Code;
use tower_layer::Layer;
use tower_service::Service;
use tracing::{Instrument, info_span};

use super::body::{Call, TracedBody};
use super::method;
use crate::context;
use crate::span::TARGET;

/// Gives every call a SERVER span in its caller's trace, and the log a line for each. Health checks
/// make none.
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
    S::Error: 'static,
    R: Send + 'static,
{
    type Response = Response<TracedBody<R>>;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        if request.uri().path().starts_with("/grpc.health.v1.") {
            let response = self.inner.call(request);
            return Box::pin(async move { Ok(response.await?.map(|body| TracedBody::new(body, None))) });
        }
        let method = received_method(request.uri().path()).to_owned();
        let span = info_span!(
            target: TARGET,
            "rpc server",
            otel.name = method,
            otel.kind = "server",
            rpc.system.name = "grpc",
            rpc.method = method,
        );
        // The mesh is ours: only the gateway decides whether the outside is trusted.
        context::adopt(&span, request.headers(), true);
        let call = Call::incoming(&span, method);
        let response = span.in_scope(|| self.inner.call(request));
        let traced = async move {
            match response.await {
                Ok(response) => Ok(call.end_with(response)),
                Err(error) => {
                    call.end(Code::Unknown);
                    Err(error)
                }
            }
        };
        Box::pin(traced.instrument(span))
    }
}

/// The method if it looks like one: a caller may send any path, and as long a one as it likes.
fn received_method(path: &str) -> &str {
    const LONGEST: usize = 128;
    let method = method(path);
    let is_name =
        |name: &str| !name.is_empty() && name.bytes().all(|c| c.is_ascii_alphanumeric() || b"._".contains(&c));
    match method.split_once('/') {
        Some((service, name)) if method.len() <= LONGEST && is_name(service) && is_name(name) => method,
        _ => "_OTHER",
    }
}
