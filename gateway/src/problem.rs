//! The errors that clients get, by problem type (RFC 9457). They say what is wrong and where, and never repeat a value.

use std::time::Duration;

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::Serialize;
use service_kit::error::{CallError, Reason, Violation};
use utoipa::ToSchema;

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
    /// How long the client should wait before it retries.
    pub(crate) retry_after: Option<Duration>,
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
    /// Only the status: the body depends on what the client accepts, see `negotiation.rs`.
    fn into_response(self) -> Response {
        let mut response = self.problem_type.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
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
