use std::borrow::Cow;
use std::future::Future;
use std::pin::Pin;
use std::task::{self, Poll, ready};
use std::time::{Duration, Instant};

use axum::extract::MatchedPath;
use http::{HeaderMap, HeaderName, Method, Request, Response, StatusCode, Version};
use opentelemetry::KeyValue;
use opentelemetry::trace::SpanKind;
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use super::known_method;
use crate::attached::Attached;
use crate::conventions::{
    ERROR_TYPE, HTTP_REQUEST_METHOD, HTTP_RESPONSE_STATUS_CODE, HTTP_ROUTE, NETWORK_PROTOCOL_VERSION, OTHER, URL_PATH,
    URL_SCHEME,
};
use crate::propagation::{self, Boundary};
use crate::span::{Span, cancellation_cause};
use crate::telemetry::{Owner, Telemetry};

/// Gives every request a SERVER span named `{method} {route}`, every response the headers `traceresponse` and
/// `server-timing`, and the log a line for each.
///
/// Add it with [`axum::Router::layer`] as the outermost layer, so that the route is known. The span has nothing that
/// could hold a person's words: `url.path` is the route's template, and there is no query, no `Host`, no client address
/// and no user agent.
#[derive(Debug, Clone)]
pub struct ServerLayer {
    boundary: Boundary,
    over_tls: bool,
    quiet: &'static [&'static str],
    owner: Owner,
}

impl ServerLayer {
    /// For requests of strangers: [`crate::Trust::ingress`] says what is taken of their trace. Reads of the `quiet`
    /// paths, such as health checks, make no span.
    pub fn new(quiet: &'static [&'static str]) -> Self {
        Self { boundary: Boundary::Ingress, over_tls: false, quiet, owner: Owner::of_caller() }
    }

    /// For requests of one's own services, as [`crate::Trust::mesh`] says.
    #[must_use]
    pub fn in_mesh(self) -> Self {
        Self { boundary: Boundary::Mesh, ..self }
    }

    /// Says whether the server speaks TLS, for `url.scheme`: a request does not say so reliably.
    #[must_use]
    pub fn over_tls(self, over_tls: bool) -> Self {
        Self { over_tls, ..self }
    }
}

impl ServerLayer {
    /// A script in a browser cannot set `Sec-Fetch-Site`, so a same-origin request of a browser comes from a page.
    fn boundary(&self, headers: &HeaderMap) -> Boundary {
        const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
        match self.boundary {
            Boundary::Ingress if headers.get(SEC_FETCH_SITE).is_some_and(|site| site == "same-origin") => {
                Boundary::Page
            }
            boundary => boundary,
        }
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
    type Response = Response<R>;
    type Error = S::Error;
    type Future = Answering<S::Future>;

    fn poll_ready(&mut self, cx: &mut task::Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
        if is_read && self.layer.quiet.contains(&request.uri().path()) {
            return Answering { future: Attached::nowhere(self.inner.call(request)), call: None };
        }
        let (telemetry, base) = self.layer.owner.at_entry();
        let origin = telemetry.0.extract(self.layer.boundary(request.headers()), request.headers(), base);
        let facts = Facts::of(&request, self.layer.over_tls);
        let span = Span::start(
            &telemetry.0,
            origin.context,
            SpanKind::Server,
            || facts.name(),
            || facts.attributes(request.version()),
        );
        if let Some(place) = origin.link {
            span.link(place);
        }
        let future = span.within(|| self.inner.call(request));
        let future = span.attach(future);
        Answering { future, call: Some(Call { span, facts, started: Instant::now(), telemetry, ended: false }) }
    }
}

/// What the span may show of a request before it is answered.
#[derive(Debug)]
struct Facts {
    method: &'static str,
    route: Option<MatchedPath>,
    scheme: &'static str,
}

impl Facts {
    fn of<B>(request: &Request<B>, over_tls: bool) -> Self {
        Self {
            method: known_method(request.method()),
            route: request.extensions().get::<MatchedPath>().cloned(),
            scheme: if over_tls { "https" } else { "http" },
        }
    }

    fn route(&self) -> Option<&str> {
        self.route.as_ref().map(MatchedPath::as_str)
    }

    fn name(&self) -> Cow<'static, str> {
        // The conventions name an unknown method in the attribute and not in the name.
        let verb = if self.method == OTHER { "HTTP" } else { self.method };
        self.route().map_or(Cow::Borrowed(verb), |route| Cow::Owned(format!("{verb} {route}")))
    }

    fn attributes(&self, version: Version) -> Vec<KeyValue> {
        let mut attributes = Vec::with_capacity(6);
        attributes.push(KeyValue::new(HTTP_REQUEST_METHOD, self.method));
        attributes.push(KeyValue::new(URL_SCHEME, self.scheme));
        attributes.push(KeyValue::new(NETWORK_PROTOCOL_VERSION, protocol_version(version)));
        if let Some(route) = self.route() {
            let route: std::sync::Arc<str> = route.into();
            attributes.push(KeyValue::new(HTTP_ROUTE, std::sync::Arc::clone(&route)));
            attributes.push(KeyValue::new(URL_PATH, route));
        }
        attributes
    }
}

/// A request that is being answered.
struct Call {
    span: Span,
    facts: Facts,
    started: Instant,
    telemetry: Telemetry,
    ended: bool,
}

/// How a request ended.
enum End {
    Answered(StatusCode),
    /// There was no answer; the text is `error.type`.
    Unanswered(&'static str),
}

impl End {
    fn status(&self) -> Option<StatusCode> {
        match self {
            Self::Answered(status) => Some(*status),
            Self::Unanswered(_) => None,
        }
    }

    fn error(&self) -> Option<Cow<'static, str>> {
        match self {
            Self::Answered(status) => status.is_server_error().then(|| status.as_str().to_owned().into()),
            Self::Unanswered(error) => Some(Cow::Borrowed(error)),
        }
    }
}

impl Call {
    fn end<R, E>(mut self, answer: &mut Result<Response<R>, E>) {
        let Ok(response) = answer else { return self.record(&End::Unanswered(OTHER)) };
        let place = self.span.span_context();
        self.telemetry.0.keep_if_slow(&place, || self.facts.name(), self.started.elapsed());
        // Tells the caller the trace and the span of the work.
        propagation::respond(&self.telemetry.0.as_kept(&place), response.headers_mut());
        self.record(&End::Answered(response.status()));
    }

    fn record(&mut self, end: &End) {
        self.ended = true;
        if let Some(status) = end.status() {
            self.span.set(HTTP_RESPONSE_STATUS_CODE, i64::from(status.as_u16()));
        }
        if let Some(error) = end.error() {
            self.span.fail(error);
        }
        let duration = self.started.elapsed();
        self.measure(end, duration);
        self.span.within(|| self.log(end, duration));
        self.span.finish();
    }

    fn measure(&self, end: &End, duration: Duration) {
        let Some(meters) = &self.telemetry.0.meters else { return };
        let mut attributes =
            vec![KeyValue::new(HTTP_REQUEST_METHOD, self.facts.method), KeyValue::new(URL_SCHEME, self.facts.scheme)];
        attributes
            .extend(end.status().map(|status| KeyValue::new(HTTP_RESPONSE_STATUS_CODE, i64::from(status.as_u16()))));
        attributes.extend(self.facts.route().map(|route| KeyValue::new(HTTP_ROUTE, route.to_owned())));
        attributes.extend(end.error().map(|error| KeyValue::new(ERROR_TYPE, error)));
        meters.http_server(duration, &attributes);
    }

    fn log(&self, end: &End, duration: Duration) {
        tracing::info!(
            http.request.method = self.facts.method,
            http.route = self.facts.route(),
            http.response.status_code = end.status().map(|status| status.as_u16()),
            "error.type" = if let End::Unanswered(error) = end { Some(*error) } else { None },
            duration_ms = duration.as_secs_f64() * 1e3,
            "request"
        );
    }
}

/// The future of a request was dropped: the client has left, or the server has panicked.
impl Drop for Call {
    fn drop(&mut self) {
        if !self.ended {
            self.record(&End::Unanswered(cancellation_cause()));
        }
    }
}

pin_project! {
    /// The future of an answer of a [`Server`], which runs in the request's span.
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
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let mut answer = ready!(this.future.poll(cx));
        if let Some(call) = this.call.take() {
            call.end(&mut answer);
        }
        Poll::Ready(answer)
    }
}

fn protocol_version(version: Version) -> &'static str {
    match version {
        Version::HTTP_10 => "1.0",
        Version::HTTP_2 => "2",
        Version::HTTP_3 => "3",
        _ => "1.1",
    }
}
