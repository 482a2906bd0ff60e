use std::borrow::Cow;
use std::task::{Context, Poll};
use std::time::Instant;

use axum::extract::MatchedPath;
use futures_util::future::BoxFuture;
use http::{HeaderValue, Method, Request, Response, StatusCode, Version};
use tower_layer::Layer;
use tower_service::Service;
use tracing::{Instrument, Span, info_span};
use tracing_opentelemetry::OpenTelemetrySpanExt;

use crate::context;
use crate::span::{TARGET, Unfinished, fail};

/// What the conventions call a value that is none of the known ones.
const OTHER: &str = "_OTHER";

/// Gives every request a SERVER span named `{method} {route}`, every response a `traceresponse`
/// header, and the log a line for each.
///
/// Add it with [`axum::Router::layer`], outermost, so that the route is known. What could hold a
/// person's words stays out of the span: `url.path` is the route's template, and there is no query,
/// no `Host`, no client address and no user agent.
#[derive(Debug, Clone)]
pub struct ServerLayer {
    trust_remote_context: bool,
    over_tls: bool,
    quiet: &'static [&'static str],
}

impl ServerLayer {
    /// Continues an incoming trace if `trust_remote_context`, else links to it. Reads of
    /// the `quiet` paths, such as health checks, make no span.
    pub fn new(trust_remote_context: bool, quiet: &'static [&'static str]) -> Self {
        Self { trust_remote_context, over_tls: false, quiet }
    }

    /// Says whether the server speaks TLS; a request does not tell, or tells what its client likes.
    #[must_use]
    pub fn over_tls(self, over_tls: bool) -> Self {
        Self { over_tls, ..self }
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
    S::Future: Send + 'static,
    S::Error: 'static,
    R: Send + 'static,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
        if is_read && self.layer.quiet.contains(&request.uri().path()) {
            return Box::pin(self.inner.call(request));
        }
        let started = Instant::now();
        let method = known_method(request.method());
        let route = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
        let span = server_span(&request, method, route.as_deref(), self.layer.over_tls);
        context::adopt(&span, request.headers(), self.layer.trust_remote_context);
        let unfinished = Unfinished::new(&span);
        let response = span.in_scope(|| self.inner.call(request));
        let answered = span.clone();
        let traced = async move {
            let mut response = match response.await {
                Ok(response) => response,
                Err(error) => {
                    fail(&answered, OTHER);
                    unfinished.finished();
                    return Err(error);
                }
            };
            record_answer(&answered, response.status());
            let context = context::of(&answered).to_string();
            if let Ok(value) = HeaderValue::try_from(context) {
                response.headers_mut().insert("traceresponse", value);
            }
            tracing::info!(
                http.request.method = method,
                http.route = route.as_deref(),
                http.response.status_code = response.status().as_u16(),
                duration_ms = started.elapsed().as_secs_f64() * 1e3,
                "request"
            );
            unfinished.finished();
            Ok(response)
        };
        Box::pin(traced.instrument(span))
    }
}

fn server_span<B>(request: &Request<B>, method: &'static str, route: Option<&str>, over_tls: bool) -> Span {
    // The conventions name an unknown method in the attribute and not in the name.
    let verb = if method == OTHER { "HTTP" } else { method };
    let name = route.map_or(Cow::Borrowed(verb), |route| Cow::Owned(format!("{verb} {route}")));
    info_span!(
        target: TARGET,
        "http server",
        otel.name = &*name,
        otel.kind = "server",
        http.request.method = method,
        url.scheme = if over_tls { "https" } else { "http" },
        network.protocol.version = protocol_version(request.version()),
        http.route = route,
        url.path = route,
    )
}

fn record_answer(span: &Span, status: StatusCode) {
    span.set_attribute("http.response.status_code", i64::from(status.as_u16()));
    if status.is_server_error() {
        fail(span, status.as_u16().to_string());
    }
}

/// The method if it is a standard one: a client may send any word as a method.
fn known_method(method: &http::Method) -> &'static str {
    const KNOWN: [&str; 9] = ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"];
    KNOWN.into_iter().find(|known| *known == method.as_str()).unwrap_or(OTHER)
}

fn protocol_version(version: Version) -> &'static str {
    match version {
        Version::HTTP_10 => "1.0",
        Version::HTTP_2 => "2",
        _ => "1.1",
    }
}
