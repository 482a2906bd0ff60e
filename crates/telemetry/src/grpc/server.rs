use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http::{Extensions, Request, Response};
use opentelemetry::KeyValue;
use pin_project_lite::pin_project;
use tonic::Code;
use tower_layer::Layer;
use tower_service::Service;

use super::call::{Call, Side};
use super::{GRPC, TracedBody, method};
use crate::attached::Attached;
use crate::conventions::RPC_SYSTEM_NAME;
use crate::propagation::Boundary;
use crate::span::Span;
use crate::telemetry::Owner;

/// Gives every call a SERVER span in its caller's trace and one log line.
#[derive(Debug, Clone)]
pub struct ServerLayer {
    boundary: Boundary,
    is_stranger: fn(&Extensions) -> bool,
    quiet: &'static [&'static str],
    owner: Owner,
}

impl ServerLayer {
    /// For calls of one's own services: [`crate::Trust::mesh`] says what is taken of their trace. Calls of the `quiet`
    /// services, such as `grpc.health.v1.Health`, make no span.
    pub fn new(quiet: &'static [&'static str]) -> Self {
        Self { boundary: Boundary::Mesh, is_stranger: |_| false, quiet, owner: Owner::of_caller() }
    }

    /// For calls of strangers, as [`crate::Trust::ingress`] says.
    #[must_use]
    pub fn for_strangers(self) -> Self {
        Self { boundary: Boundary::Ingress, ..self }
    }

    /// Treats some calls as calls of strangers: those for which `is_stranger` is true of their request's extensions,
    /// for example because the connection does not prove who the caller is.
    #[must_use]
    pub fn strangers(self, is_stranger: fn(&Extensions) -> bool) -> Self {
        Self { is_stranger, ..self }
    }

    fn boundary(&self, extensions: &Extensions) -> Boundary {
        if (self.is_stranger)(extensions) { Boundary::Ingress } else { self.boundary }
    }
}

impl<S> Layer<S> for ServerLayer {
    type Service = Server<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Server { inner, layer: self.clone() }
    }
}

/// The service made by [`ServerLayer`].
#[derive(Debug, Clone)]
pub struct Server<S> {
    inner: S,
    layer: ServerLayer,
}

impl<S, B, R> Service<Request<B>> for Server<S>
where
    S: Service<Request<B>, Response = Response<R>>,
{
    type Response = Response<TracedBody<R>>;
    type Error = S::Error;
    type Future = Answering<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let service = method(request.uri().path()).and_then(|method| method.split_once('/'));
        if service.is_some_and(|(service, _)| self.layer.quiet.contains(&service)) {
            return Answering { future: Attached::nowhere(self.inner.call(request)), call: None };
        }
        let (telemetry, base) = self.layer.owner.at_entry();
        let boundary = self.layer.boundary(request.extensions());
        let origin = telemetry.0.extract(boundary, request.headers(), base);
        let method = method(request.uri().path());
        let name = || method.unwrap_or(GRPC).to_owned();
        let attributes = || vec![KeyValue::new(RPC_SYSTEM_NAME, GRPC)];
        let span = Span::start(&telemetry.0, origin.context, Side::Server.kind(), name, attributes);
        if let Some(place) = origin.link {
            span.link(place);
        }
        let method = method.map(Arc::from);
        let future = span.within(|| self.inner.call(request));
        let future = span.attach(future);
        Answering { future, call: Some(Call::new(telemetry, span, Side::Server, boundary, method)) }
    }
}

pin_project! {
    /// The future of an answer of a [`Server`], which runs in the call's span.
    pub struct Answering<F> {
        #[pin]
        future: Attached<F>,
        call: Option<Call>,
    }
}

impl<F, R, E> Future for Answering<F>
where
    F: Future<Output = Result<Response<R>, E>>,
{
    type Output = Result<Response<TracedBody<R>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let answer = ready!(this.future.poll(cx));
        Poll::Ready(match (answer, this.call.take()) {
            (Ok(response), Some(call)) => Ok(call.end_with(response)),
            (Ok(response), None) => Ok(response.map(TracedBody::untraced)),
            (Err(error), call) => {
                if let Some(call) = call {
                    call.end(Code::Unknown);
                }
                Err(error)
            }
        })
    }
}
