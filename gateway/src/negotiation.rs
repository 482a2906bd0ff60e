//! Content negotiation: the API answers with JSON, `/fhir` with FHIR's JSON, and errors are pages for people.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{Html, IntoResponse, Response};
use http::header::{CONTENT_TYPE, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, StatusCode, Uri};
use minijinja::context;
use problem_details::ProblemDetails;
use serde::Serialize;

use crate::accept::{prefers_html, takes_json};
use crate::fhir::{self, OperationOutcome};
use crate::problem::{FieldError, Problem, ProblemType};
use crate::representation::TraceReference;
use crate::web::{Visit, Web};

/// Answers 406 to a client that does not accept JSON under `/v1`, or FHIR's JSON under `/fhir`.
pub(crate) async fn require_json(request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let taken = if path.starts_with("/v1/") {
        takes_json(request.headers())
    } else {
        !fhir::serves(path) || fhir::takes_fhir(&request)
    };
    if taken { next.run(request).await } else { Problem::NOT_ACCEPTABLE.into_response() }
}

/// Turns every error answer into problem details with the id of its trace. A browser gets a page instead, and a client
/// of `/fhir` gets an `OperationOutcome`.
pub(crate) async fn render_problem(State(web): State<Arc<Web>>, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let is_fhir = fhir::serves(path);
    let is_for_people = !is_fhir && !path.starts_with("/v1/") && prefers_html(request.headers());
    let (parts, body) = request.into_parts();
    let visit = is_for_people.then(|| Visit::anonymous(&parts, &web));
    let mut response = next.run(Request::from_parts(parts, body)).await;
    let status = response.status();
    if !status.is_client_error() && !status.is_server_error() {
        return response;
    }
    let problem = match response.extensions_mut().remove::<Problem>() {
        Some(problem) => problem,
        // The route's own answer, such as that of /readyz, or a form that is shown again with its errors.
        None if is_complete(response.headers()) => return response,
        None => of_status(status),
    };
    let page = visit.and_then(|visit| page(&problem, &visit));
    let trace = TraceReference::current(web.shared.trace_url.as_deref());
    let status = problem.problem_type.status;
    let retry_after = problem.retry_after;
    let (media_type, mut rendered) = if let Some(page) = page {
        (HTML, (status, page).into_response())
    } else if is_fhir {
        (fhir::MEDIA_TYPE, (status, Json(OperationOutcome::of(&problem, &trace))).into_response())
    } else {
        ("application/problem+json", (status, details(problem, trace)).into_response())
    };
    let headers = rendered.headers_mut();
    // Keeps headers such as Allow of a 405.
    headers.extend(response.headers().iter().map(|(name, value)| (name.clone(), value.clone())));
    headers.remove(http::header::CONTENT_LENGTH);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    if let Some(after) = retry_after {
        // Rounded up to whole seconds: a client that retries too early is refused again.
        let seconds = after.as_secs() + u64::from(after.subsec_nanos() > 0);
        headers.insert(http::header::RETRY_AFTER, seconds.into());
    }
    if status == StatusCode::UNAUTHORIZED {
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    rendered
}

const HTML: &str = "text/html; charset=utf-8";

/// Whether an error answer has its final body already.
fn is_complete(headers: &HeaderMap) -> bool {
    let media_type = headers.get(CONTENT_TYPE);
    media_type.is_some_and(|media_type| media_type == "application/json" || media_type == HTML)
}

/// The problem for an error answer of the framework itself.
fn of_status(status: StatusCode) -> Problem {
    match status {
        StatusCode::NOT_FOUND => Problem::NOT_FOUND,
        StatusCode::METHOD_NOT_ALLOWED => Problem::METHOD_NOT_ALLOWED,
        StatusCode::PAYLOAD_TOO_LARGE => Problem::TOO_LARGE,
        StatusCode::SERVICE_UNAVAILABLE => Problem::UNAVAILABLE,
        status if status.is_client_error() => Problem::BAD_REQUEST,
        _ => Problem::INTERNAL,
    }
}

/// The problem as a page in the reader's language; none if the page cannot be rendered.
fn page(problem: &Problem, visit: &Visit) -> Option<Html<String>> {
    let ProblemType { name, status, title, detail } = problem.problem_type;
    let status = status.as_u16();
    let problem = context! { name, status, title, detail, uri_reference => problem.problem_type.uri_reference() };
    visit.page("error.html", context! { problem }).ok()
}

/// The problem as problem details (RFC 9457).
fn details(problem: Problem, trace: TraceReference) -> Json<ProblemDetails<Extensions>> {
    let problem_type = problem.problem_type;
    let mut details = ProblemDetails::from_status_code(problem_type.status)
        .with_title(problem_type.title)
        .with_detail(problem_type.detail);
    if let Ok(uri) = Uri::try_from(problem_type.uri_reference()) {
        details = details.with_type(uri);
    }
    if let Ok(uri) = Uri::try_from(trace.uri_reference()) {
        details = details.with_instance(uri);
    }
    Json(details.with_extensions(Extensions { trace, errors: problem.errors }))
}

/// Extension members of our problems (RFC 9457, section 3.2).
#[derive(Serialize)]
struct Extensions {
    #[serde(flatten)]
    trace: TraceReference,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<FieldError>,
}
