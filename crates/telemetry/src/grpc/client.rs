use std::task::{Context, Poll};

use futures_util::future::BoxFuture;
use http::{Request, Response, Uri};
use tonic::body::Body;
use tonic::transport::{self, Endpoint};
use tonic::{Code, Status};
use tower_service::Service;
use tracing::{Instrument, info_span};

use super::body::{Call, TracedBody};
use super::method;
use crate::context;
use crate::span::TARGET;

/// A tonic channel whose every call is a CLIENT span and carries the trace onwards.
#[derive(Debug, Clone)]
pub struct Channel {
    inner: transport::Channel,
    server: Uri,
}

impl Channel {
    /// A channel that connects when it is first used and again after every loss.
    ///
    /// Must run inside the runtime.
    pub fn new(endpoint: &Endpoint) -> Self {
        Self { inner: endpoint.connect_lazy(), server: endpoint.uri().clone() }
    }
}

impl Service<Request<Body>> for Channel {
    type Response = Response<TracedBody<Body>>;
    type Error = transport::Error;
    type Future = BoxFuture<'static, Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let method = method(request.uri().path());
        let span = info_span!(
            target: TARGET,
            "rpc client",
            otel.name = method,
            otel.kind = "client",
            rpc.system.name = "grpc",
            rpc.method = method,
            server.address = self.server.host(),
            server.port = self.server.port_u16().map(i64::from),
        );
        context::inject(&span, request.headers_mut());
        let call = Call::outgoing(&span);
        let response = span.in_scope(|| self.inner.call(request));
        let traced = async move {
            match response.await {
                Ok(response) => Ok(call.end_with(response)),
                Err(error) => {
                    call.end(transport_code(&error));
                    Err(error)
                }
            }
        };
        Box::pin(traced.instrument(span))
    }
}

/// The code tonic will report for a call that got no answer.
fn transport_code(error: &transport::Error) -> Code {
    let mut source: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = source {
        if error.is::<tonic::TimeoutExpired>() {
            return Code::DeadlineExceeded;
        }
        if let Some(status) = error.downcast_ref::<Status>() {
            return status.code();
        }
        source = error.source();
    }
    Code::Unavailable
}
