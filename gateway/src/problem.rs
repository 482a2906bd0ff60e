//! Errors as RFC 9457 problem details. They say what is wrong and where, and never repeat a value.

use std::time::Duration;

use axum::Json;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{Html, IntoResponse, Response};
use http::header::{CONTENT_TYPE, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, StatusCode, Uri};
use minijinja::context;
use problem_details::ProblemDetails;
use serde::Serialize;
use service_kit::error::{CallError, Reason, Violation};
use utoipa::ToSchema;

use crate::accept::prefers_html;
use crate::fhir::{self, OperationOutcome};
use crate::representation::TraceReference;
use crate::router::Shared;
use crate::web::Visit;

mod table;

pub(crate) use table::ProblemType;

/// How long a client should wait before it retries after a temporary failure.
pub(crate) const RETRY_AFTER: Duration = Duration::from_secs(2);

/// How long a phone should wait before it sends a report again that exceeded the limit per hour.
const REPORT_AGAIN_AFTER: Duration = Duration::from_mins(10);

/// An error answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) problem_type: ProblemType,
    pub(crate) errors: Vec<FieldError>,
    retry_after: Option<Duration>,
}

impl Problem {
    const fn of(problem_type: ProblemType) -> Self {
        let retry_after = match problem_type.status {
            StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => Some(RETRY_AFTER),
            _ => None,
        };
        Self { problem_type, errors: Vec::new(), retry_after }
    }

    /// The body's fields are not what they should be.
    pub(crate) fn invalid_body(errors: Vec<FieldError>) -> Self {
        Self { errors, ..Self::INVALID_BODY }
    }

    /// What is wrong with the body.
    #[cfg(test)]
    pub(crate) fn errors(&self) -> &[FieldError] {
        &self.errors
    }

    /// The same problem for a body of another structure: `place` gives the new pointer of each error.
    pub(crate) fn relocated(mut self, place: impl Fn(&FieldError) -> String) -> Self {
        for error in &mut self.errors {
            error.pointer = place(error);
        }
        self
    }

    /// Too many requests: the client may retry after `wait`.
    pub(crate) fn throttled(wait: Duration) -> Self {
        Self { retry_after: Some(wait), ..Self::THROTTLED }
    }

    /// Whether it is the new PIN that was refused.
    pub(crate) fn is_about_a_pin(&self) -> bool {
        self.problem_type == Self::because(Reason::PinTooSimple).problem_type
    }

    /// The problem for an error answer of the framework itself.
    fn of_status(status: StatusCode) -> Self {
        match status {
            StatusCode::NOT_FOUND => Self::NOT_FOUND,
            StatusCode::METHOD_NOT_ALLOWED => Self::METHOD_NOT_ALLOWED,
            StatusCode::PAYLOAD_TOO_LARGE => Self::TOO_LARGE,
            StatusCode::SERVICE_UNAVAILABLE => Self::UNAVAILABLE,
            status if status.is_client_error() => Self::BAD_REQUEST,
            _ => Self::INTERNAL,
        }
    }
}

impl Problem {
    /// The problem as a page in the reader's language; none if the page cannot be rendered.
    fn page(&self, visit: &Visit) -> Option<Html<String>> {
        let ProblemType { name, status, title, detail } = self.problem_type;
        let status = status.as_u16();
        let problem = context! { name, status, title, detail, uri_reference => self.problem_type.uri_reference() };
        visit.page("error.html", context! { problem }).ok()
    }

    /// The problem as problem details (RFC 9457).
    fn details(self, trace: TraceReference) -> Json<ProblemDetails<Extensions>> {
        let problem_type = self.problem_type;
        let mut details = ProblemDetails::from_status_code(problem_type.status)
            .with_title(problem_type.title)
            .with_detail(problem_type.detail);
        if let Ok(uri) = Uri::try_from(problem_type.uri_reference()) {
            details = details.with_type(uri);
        }
        if let Ok(uri) = Uri::try_from(trace.uri_reference()) {
            details = details.with_instance(uri);
        }
        Json(details.with_extensions(Extensions { trace, errors: self.errors }))
    }
}

impl From<CallError> for Problem {
    fn from(error: CallError) -> Self {
        let errors = error.violations.into_iter().map(Into::into).collect();
        let problem = Self { errors, ..Self::because(error.reason) };
        match error.reason {
            Reason::TooManyReports => Self { retry_after: Some(REPORT_AGAIN_AFTER), ..problem },
            _ => problem,
        }
    }
}

impl IntoResponse for Problem {
    /// Only the status; [`render`] adds the body, because that needs the trace.
    fn into_response(self) -> Response {
        let mut response = self.problem_type.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// Extension members of our problems (RFC 9457, section 3.2).
#[derive(Serialize)]
struct Extensions {
    #[serde(flatten)]
    trace: TraceReference,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<FieldError>,
}

/// A rule that a part of the body breaks. The value itself is never repeated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct FieldError {
    /// JSON pointer into the body; empty for the body itself. The name of an unknown field is included only if it is
    /// nearly a known name.
    #[schema(example = "/answers/pain")]
    pub(crate) pointer: String,
    /// The item, if the rule is about an answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "pain")]
    pub(crate) link_id: Option<String>,
    /// The rule's id. Of any body: `required`, `type`, `enum`, `unknown-field`. Of a PIN: `pin-too-simple`. Of a
    /// report: `attested`, `captured-at-format`, `captured-at-future`, `captured-at-before-enrolment`,
    /// `outside-window`, `questionnaire-retired`, `unknown-item`, `type`, `range`, `code`, `length`,
    /// `null-character`, `required`, `disabled`. Of an amendment's reason: `required`, `length`, `null-character`.
    #[schema(example = "range")]
    pub(crate) code: String,
    /// The allowed names, for `unknown-field`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<String>)]
    allowed: Vec<&'static str>,
}

impl FieldError {
    pub(crate) fn new(pointer: String, code: &str) -> Self {
        Violation { pointer, code: code.to_owned() }.into()
    }

    /// A field that is none of the allowed ones.
    pub(crate) fn unknown_field(pointer: String, allowed: Vec<&'static str>) -> Self {
        Self { allowed, ..Self::new(pointer, "unknown-field") }
    }
}

impl From<Violation> for FieldError {
    fn from(violation: Violation) -> Self {
        let link_id = violation.pointer.strip_prefix("/answers/");
        // RFC 6901, section 4
        let link_id = link_id.map(|escaped| escaped.replace("~1", "/").replace("~0", "~"));
        Self { link_id, pointer: violation.pointer, code: violation.code, allowed: Vec::new() }
    }
}

/// Turns every error answer into problem details with the id of its trace. A browser gets a page instead, and a client
/// of `/fhir` gets an `OperationOutcome`.
pub(crate) async fn render(State(shared): State<Shared>, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let is_fhir = fhir::serves(path);
    let is_for_people = !is_fhir && !path.starts_with("/v1/") && prefers_html(request.headers());
    let (parts, body) = request.into_parts();
    let visit = is_for_people.then(|| Visit::anonymous(&parts, &shared));
    let mut response = next.run(Request::from_parts(parts, body)).await;
    let status = response.status();
    if !status.is_client_error() && !status.is_server_error() {
        return response;
    }
    let problem = match response.extensions_mut().remove::<Problem>() {
        Some(problem) => problem,
        // The route's own answer, such as that of /readyz, or a form that is shown again with its errors.
        None if is_complete(response.headers()) => return response,
        None => Problem::of_status(status),
    };
    let page = visit.and_then(|visit| problem.page(&visit));
    let trace = TraceReference::current(shared.trace_url.as_deref());
    let status = problem.problem_type.status;
    let retry_after = problem.retry_after;
    let (media_type, mut rendered) = if let Some(page) = page {
        (HTML, (status, page).into_response())
    } else if is_fhir {
        (fhir::MEDIA_TYPE, (status, Json(OperationOutcome::of(&problem, &trace))).into_response())
    } else {
        ("application/problem+json", (status, problem.details(trace)).into_response())
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
