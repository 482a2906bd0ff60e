use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::middleware::{Next, from_fn, from_fn_with_state, map_response_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use service_kit::deadline;
use telemetry::http::ServerLayer;
use tower_http::catch_panic::CatchPanicLayer;

use crate::clients::{Data, Peers, Report, User};
use crate::problem::{self, Problem};
use crate::routes;

/// What the routes share.
#[derive(Debug, Clone)]
pub(crate) struct Shared {
    pub(crate) user: User,
    pub(crate) report: Report,
    pub(crate) data: Data,
    pub(crate) peers: Peers,
    /// Where people look at a trace; the id is added.
    pub(crate) trace_url: Option<Arc<str>>,
}

/// What one request may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) request_timeout: Duration,
    pub(crate) body: usize,
}

/// The API. To add an endpoint, write `routes/<name>.rs` and add its line here.
pub(crate) fn new(shared: Shared, limits: Limits, trust_remote_context: bool) -> Router {
    Router::new()
        .route("/v1/sessions", post(routes::create_session))
        .route("/v1/reports", post(routes::submit_report))
        .route("/v1/reports/{id}", get(routes::get_report))
        .route("/v1/projects/{id}", get(routes::get_project))
        .route("/livez", get(routes::livez))
        .route("/readyz", get(routes::readyz))
        .fallback(async || Problem::NOT_FOUND)
        .method_not_allowed_fallback(async || Problem::METHOD_NOT_ALLOWED)
        .layer(DefaultBodyLimit::max(limits.body))
        .layer(from_fn_with_state(limits, hold_to_deadline))
        .layer(CatchPanicLayer::custom(|_: Box<dyn Any + Send>| Problem::INTERNAL.into_response()))
        .layer(map_response_with_state(shared.trace_url.clone(), problem::render))
        .layer(from_fn(no_store))
        // Outermost: whatever happens inside is in the span.
        .layer(ServerLayer::new(trust_remote_context, &["/livez", "/readyz"]))
        .with_state(shared)
}

/// Gives the request, and with it every call it makes, a time limit.
async fn hold_to_deadline(State(limits): State<Limits>, request: Request, next: Next) -> Response {
    deadline::within(limits.request_timeout, next.run(request))
        .await
        .unwrap_or_else(|_| Problem::TIMEOUT.into_response())
}

/// No answer of a health system belongs in a cache.
async fn no_store(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    response.headers_mut().insert(http::header::CACHE_CONTROL, http::HeaderValue::from_static("no-store"));
    response
}
