use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use service_kit::deadline;
use service_kit::error::CallError;
use service_kit::fault::Faults;
use telemetry::http::ServerLayer;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::csrf::CsrfLayer;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::fhir;
use crate::limit::{refuse_bad_head, require_host};
use crate::negotiation;
use crate::openapi;
use crate::problem::Problem;
use crate::routes;
use crate::security_headers;
use crate::shared::Shared;
use crate::web::{self, Web, session};

/// Limits of one request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) request_timeout: Duration,
    pub(crate) body: usize,
}

/// The API with its description. To add an endpoint, write `routes/<name>.rs` and add its line here.
pub(crate) fn api() -> OpenApiRouter<Shared> {
    OpenApiRouter::with_openapi(openapi::base())
        .routes(routes!(routes::create_activation::create_activation))
        .routes(routes!(routes::create_session::create_session))
        .routes(routes!(routes::refresh_session::refresh_session))
        .routes(routes!(routes::end_session::end_session))
        .routes(routes!(routes::list_assignments::list_assignments))
        .routes(routes!(routes::get_questionnaire::get_questionnaire))
        .routes(routes!(routes::submit_report::submit_report, routes::list_reports::list_reports))
        .routes(routes!(routes::get_report::get_report))
        .routes(routes!(routes::amend_report::amend_report))
        .routes(routes!(routes::list_sites::list_sites))
        .routes(routes!(routes::list_site_reports::list_site_reports))
        .routes(routes!(routes::list_notifications::list_notifications))
        .routes(routes!(routes::list_security_events::list_security_events))
        .routes(routes!(routes::free_login::free_login))
        .routes(routes!(routes::list_unnotified_reports::list_unnotified_reports))
        .routes(routes!(routes::resend_notification::resend_notification))
        .routes(routes!(routes::review_report::review_report))
        .routes(routes!(routes::list_audit_events::list_audit_events))
        .routes(routes!(routes::get_study::get_study))
        // The two former paths, as `openapi::DEPRECATED` lists them.
        .route("/v1/projects/{id}", get(routes::get_study::get_study))
        .route("/v1/projects/{id}/untold-reports", get(routes::list_unnotified_reports::list_unnotified_reports))
        .routes(routes!(routes::get_problem_type::get_problem_type))
        .routes(routes!(routes::livez::livez))
        .routes(routes!(routes::readyz::readyz))
}

/// The API's description.
pub(crate) fn description() -> utoipa::openapi::OpenApi {
    openapi::complete(api().into_openapi())
}

/// All routes of the gateway with their layers.
///
/// # Errors
/// When the API's description cannot be written.
pub(crate) fn new(
    shared: Shared,
    web: &Arc<Web>,
    fhir: fhir::Base,
    limits: Limits,
    faults: Faults,
    over_tls: bool,
) -> anyhow::Result<Router> {
    let (api, description) = api().split_for_parts();
    let pages = openapi::pages(&openapi::complete(description)).context("describe the API")?;
    let router = api
        .merge(pages)
        .merge(web::pages(Arc::clone(web)))
        .merge(fhir::router(shared.clone(), fhir))
        .fallback(async || Problem::NOT_FOUND)
        .method_not_allowed_fallback(async || Problem::METHOD_NOT_ALLOWED)
        .layer(from_fn_with_state(Arc::clone(web), session::bear_token))
        .layer(CsrfLayer::new().with_rejection_response(|_| Problem::CROSS_SITE.into_response()))
        .layer(faults.layer(|status| Problem::from(CallError::from(status)).into_response()))
        .layer(DefaultBodyLimit::max(limits.body))
        .layer(from_fn_with_state(limits, hold_to_deadline))
        .layer(from_fn(negotiation::require_json))
        .layer(from_fn(require_host))
        .layer(from_fn(refuse_bad_head))
        .layer(CatchPanicLayer::custom(|_: Box<dyn Any + Send>| Problem::INTERNAL.into_response()))
        .layer(from_fn_with_state(Arc::clone(web), negotiation::render_problem))
        .layer(from_fn_with_state(over_tls, security_headers::add))
        // This layer is outermost, so that the span covers all others.
        .layer(ServerLayer::new(&["/livez", "/readyz"]).over_tls(over_tls))
        .with_state(shared);
    Ok(router)
}

/// Gives the request, and every call that it makes, a deadline.
async fn hold_to_deadline(State(limits): State<Limits>, request: Request, next: Next) -> Response {
    deadline::within(limits.request_timeout, next.run(request))
        .await
        .unwrap_or_else(|_| Problem::TIMEOUT.into_response())
}
