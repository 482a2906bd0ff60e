//! Errors as RFC 9457 problem details. They say what is wrong and where, and never repeat a value.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode, Uri};
use problem_details::ProblemDetails;
use proto::{CallError, ErrorKind, Reason, Violation};
use serde::Serialize;
use telemetry::TraceContext;

/// Seconds after which a client may try again what has failed for now.
const RETRY_AFTER_SECONDS: HeaderValue = HeaderValue::from_static("2");

/// An error answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    status: StatusCode,
    /// Last part of the problem type.
    name: &'static str,
    detail: &'static str,
    violations: Vec<Violation>,
}

impl Problem {
    const fn new(status: StatusCode, name: &'static str, detail: &'static str) -> Self {
        Self { status, name, detail, violations: Vec::new() }
    }

    pub(crate) const NOT_FOUND: Self =
        Self::new(StatusCode::NOT_FOUND, "not-found", "There is nothing here, or nothing that you may see.");
    pub(crate) const METHOD_NOT_ALLOWED: Self =
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", "This resource does not know the method.");
    pub(crate) const INTERNAL: Self =
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "A defect of ours; the trace id finds it.");
    pub(crate) const TIMEOUT: Self =
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "timeout", "It took too long. Try again with the same key.");
    pub(crate) const MALFORMED_JSON: Self =
        Self::new(StatusCode::BAD_REQUEST, "malformed-json", "The body is not one JSON object.");
    pub(crate) const MALFORMED_ID: Self = Self::new(StatusCode::BAD_REQUEST, "malformed-id", "An id is not a UUID.");
    pub(crate) const IDEMPOTENCY_KEY: Self = Self::new(
        StatusCode::BAD_REQUEST,
        "idempotency-key",
        "Send exactly one Idempotency-Key header of 1 to 255 visible ASCII characters.",
    );
    pub(crate) const UNSUPPORTED_MEDIA_TYPE: Self =
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported-media-type", "Send application/json, not encoded.");
    pub(crate) const SLOW_BODY: Self =
        Self::new(StatusCode::REQUEST_TIMEOUT, "slow-body", "The body did not arrive in time.");
    pub(crate) const TOO_LARGE: Self = Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", "The body is too large.");
    pub(crate) const NO_TOKEN: Self =
        Self::new(StatusCode::UNAUTHORIZED, "unauthenticated", "Send an access token: Authorization: Bearer <token>.");
    pub(crate) const WRONG_ROLE: Self = Self::new(StatusCode::FORBIDDEN, "wrong-role", "Your role may not do this.");

    /// The body's fields are not what they should be.
    pub(crate) fn invalid_body(violations: Vec<Violation>) -> Self {
        let problem = Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid-body", "The body breaks the API's schema.");
        Self { violations, ..problem }
    }

    /// For answers of the framework's own that carry no problem.
    fn of_status(status: StatusCode) -> Self {
        match status {
            StatusCode::NOT_FOUND => Self::NOT_FOUND,
            StatusCode::METHOD_NOT_ALLOWED => Self::METHOD_NOT_ALLOWED,
            StatusCode::PAYLOAD_TOO_LARGE => Self::TOO_LARGE,
            StatusCode::INTERNAL_SERVER_ERROR => Self::INTERNAL,
            status if status.is_client_error() => Self::new(status, "bad-request", "The request cannot be read."),
            status => Self::new(status, "unavailable", "A part of the system is down."),
        }
    }
}

impl From<CallError> for Problem {
    fn from(error: CallError) -> Self {
        let detail = match error.kind {
            ErrorKind::Invalid => "The request breaks the rules listed.",
            ErrorKind::Unauthenticated => "The credentials are not valid.",
            ErrorKind::Forbidden => "You may not do this.",
            ErrorKind::NotFound => Self::NOT_FOUND.detail,
            ErrorKind::Conflict => "The request contradicts what is stored.",
            ErrorKind::Throttled => "Too many requests.",
            ErrorKind::Unavailable => "A part of the system is down. Try again with the same key.",
            ErrorKind::Timeout => Self::TIMEOUT.detail,
            ErrorKind::Internal => Self::INTERNAL.detail,
        };
        let detail = match error.reason {
            Reason::IdempotencyKeyReused => "The Idempotency-Key was used with another body.",
            _ => detail,
        };
        let (status, name) = (error.kind.http_status(), error.reason.as_str());
        Self { status, name, detail, violations: error.violations }
    }
}

impl IntoResponse for Problem {
    /// Only the status; [`render`] adds the body, because that needs the trace.
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// What our problems carry beyond RFC 9457's own members.
#[derive(Serialize)]
struct Extensions {
    trace_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace_url: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<FieldError>,
}

#[derive(Serialize)]
struct FieldError {
    pointer: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    link_id: Option<String>,
    code: String,
}

impl From<Violation> for FieldError {
    fn from(violation: Violation) -> Self {
        let link_id = violation.pointer.strip_prefix("/answers/");
        // RFC 6901, section 4
        let link_id = link_id.map(|escaped| escaped.replace("~1", "/").replace("~0", "~"));
        Self { link_id, pointer: violation.pointer, code: violation.code }
    }
}

/// Turns every error answer into problem details with the id of its trace.
pub(crate) async fn render(State(trace_url): State<Option<Arc<str>>>, mut response: Response) -> Response {
    let status = response.status();
    if !status.is_client_error() && !status.is_server_error() {
        return response;
    }
    let problem = match response.extensions_mut().remove::<Problem>() {
        Some(problem) => problem,
        // A route's own answer, such as that of /readyz.
        None if response.headers().get(CONTENT_TYPE).is_some_and(|media_type| media_type == "application/json") => {
            return response;
        }
        None => Problem::of_status(status),
    };
    let trace_id = TraceContext::current().trace_id().to_string();
    let trace_url = trace_url.map(|url| format!("{url}{trace_id}"));
    let mut details = ProblemDetails::from_status_code(problem.status).with_detail(problem.detail);
    if let Ok(uri) = Uri::try_from(format!("/problems/{}", problem.name)) {
        details = details.with_type(uri);
    }
    let instance = trace_url.clone().unwrap_or_else(|| format!("/traces/{trace_id}"));
    if let Ok(uri) = Uri::try_from(instance) {
        details = details.with_instance(uri);
    }
    let errors = problem.violations.into_iter().map(Into::into).collect();
    let body = Json(details.with_extensions(Extensions { trace_id, trace_url, errors }));

    let mut rendered = (problem.status, body).into_response();
    let headers = rendered.headers_mut();
    // Such as Allow on a 405.
    headers.extend(response.headers().iter().map(|(name, value)| (name.clone(), value.clone())));
    headers.remove(http::header::CONTENT_LENGTH);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    match problem.status {
        StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => {
            headers.insert(RETRY_AFTER, RETRY_AFTER_SECONDS);
        }
        StatusCode::UNAUTHORIZED => {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        _ => {}
    }
    rendered
}
