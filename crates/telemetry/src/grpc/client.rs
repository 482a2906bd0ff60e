use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http::{Request, Response, Uri};
use opentelemetry::KeyValue;
use pin_project_lite::pin_project;
use tonic::transport::{self, Endpoint};
use tonic::{Code, Status};
use tower_service::Service;

use super::call::{Call, Side};
use super::{GRPC, TracedBody, method};
use crate::attached::Attached;
use crate::conventions::{RPC_SYSTEM_NAME, SERVER_ADDRESS, SERVER_PORT, SERVICE_PEER_NAME};
use crate::propagation::Boundary;
use crate::span::Span;
use crate::telemetry::Owner;

/// A tonic channel to one's own services. Every call is a CLIENT span and carries the trace context.
#[derive(Debug, Clone)]
pub struct TracedChannel<S = transport::Channel> {
    inner: S,
    server: Arc<Server>,
    boundary: Boundary,
    owner: Owner,
}

#[derive(Debug)]
struct Server {
    peer: &'static str,
    address: Option<Arc<str>>,
    port: Option<u16>,
}

impl TracedChannel {
    /// A channel that connects when it is first used and reconnects after every loss. `peer` is the `service.name` of
    /// the other side.
    ///
    /// Must run inside the runtime.
    pub fn new(endpoint: &Endpoint, peer: &'static str) -> Self {
        Self::over(endpoint.connect_lazy(), endpoint.uri(), peer)
    }
}

impl<S> TracedChannel<S> {
    /// As [`TracedChannel::new`], over any service that sends requests to the server at `uri`, such as a channel with
    /// layers. The span shows the result of that service, for example its timeout.
    pub fn over(inner: S, uri: &Uri, peer: &'static str) -> Self {
        Self { inner, server: Arc::new(Server::new(uri, peer)), boundary: Boundary::Mesh, owner: Owner::of_caller() }
    }

    /// For calls to other people's services, as [`crate::Trust::egress`] says.
    #[must_use]
    pub fn to_strangers(self) -> Self {
        Self { boundary: Boundary::Egress, ..self }
    }
}

impl Server {
    fn new(uri: &Uri, peer: &'static str) -> Self {
        Self { peer, address: uri.host().map(Arc::from), port: uri.port_u16() }
    }

    fn attributes(&self) -> Vec<KeyValue> {
        let mut attributes = Vec::with_capacity(7);
        attributes.push(KeyValue::new(RPC_SYSTEM_NAME, GRPC));
        attributes.push(KeyValue::new(SERVICE_PEER_NAME, self.peer));
        attributes.extend(self.address.clone().map(|address| KeyValue::new(SERVER_ADDRESS, address)));
        attributes.extend(self.port.map(|port| KeyValue::new(SERVER_PORT, i64::from(port))));
        attributes
    }
}

impl<S, B, R> Service<Request<B>> for TracedChannel<S>
where
    S: Service<Request<B>, Response = Response<R>, Error: std::error::Error + 'static>,
{
    type Response = Response<TracedBody<R>>;
    type Error = S::Error;
    type Future = Calling<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let (telemetry, parent) = self.owner.inside();
        let method: Option<Arc<str>> = method(request.uri().path()).map(Arc::from);
        let name = || method.as_deref().unwrap_or(GRPC).to_owned();
        let span = Span::start(&telemetry.0, parent, Side::Client.kind(), name, || self.server.attributes());
        telemetry.0.inject(self.boundary, span.context(), request.headers_mut());
        let future = span.within(|| self.inner.call(request));
        let future = span.attach(future);
        Calling { future, call: Some(Call::new(telemetry, span, Side::Client, self.boundary, method)) }
    }
}

pin_project! {
    /// The future of a call of a [`TracedChannel`], which runs in the call's span.
    pub struct Calling<F> {
        #[pin]
        future: Attached<F>,
        call: Option<Call>,
    }
}

impl<F, R, E> Future for Calling<F>
where
    F: Future<Output = Result<Response<R>, E>>,
    E: std::error::Error + 'static,
{
    type Output = Result<Response<TracedBody<R>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let answer = ready!(this.future.poll(cx));
        let Some(call) = this.call.take() else {
            return Poll::Ready(answer.map(|response| response.map(TracedBody::untraced)));
        };
        Poll::Ready(match answer {
            Ok(response) => Ok(call.end_with(response)),
            Err(error) => {
                call.end(transport_code(&error));
                Err(error)
            }
        })
    }
}

/// The code that tonic reports for a call without an answer.
fn transport_code(error: &(dyn std::error::Error + 'static)) -> Code {
    let mut source = Some(error);
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
