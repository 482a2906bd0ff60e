//! How an error is sent from one service to another.

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, FieldViolation, StatusExt};

use super::{ErrorKind, Reason};

/// The domain of our reasons in an `ErrorInfo`.
const DOMAIN: &str = "epro";

/// A broken rule: where and which, never the value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// JSON pointer into the request's body.
    pub pointer: String,
    /// The rule's id.
    pub code: String,
}

/// An error of a service's business functions. Its text and its causes are logged, so they must not quote input. A
/// caller gets its kind, its reason and the broken rules.
pub trait DomainError: std::error::Error {
    /// Its reason; only a kind if there is no reason for it.
    fn reason(&self) -> Reason;

    /// What a caller can do about it.
    fn kind(&self) -> ErrorKind {
        self.reason().kind()
    }

    /// The broken rules, if the error is about rules.
    fn violations(&self) -> &[Violation] {
        &[]
    }
}

/// An error as the status that a service sends.
pub fn status(error: &dyn DomainError) -> Status {
    let reason = error.reason();
    let mut details = ErrorDetails::with_error_info(reason.as_str(), DOMAIN, []);
    let violations: Vec<_> = error
        .violations()
        .iter()
        .map(|violation| FieldViolation::new(violation.pointer.clone(), violation.code.clone()))
        .collect();
    if !violations.is_empty() {
        details.set_bad_request(violations);
    }
    Status::with_error_details(reason.kind().code(), reason.as_str(), details)
}

/// An error as the caller of a service receives it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", reason.as_str())]
pub struct CallError {
    /// The reason, or only a kind.
    pub reason: Reason,
    /// The broken rules, if any.
    pub violations: Vec<Violation>,
}

impl From<Status> for CallError {
    fn from(status: Status) -> Self {
        let details = status.get_error_details();
        let kind = match status.code() {
            // Without our error details, this is not about the user of the request: the mesh or a proxy has rejected
            // this process. Nothing works until somebody has fixed that.
            Code::Unauthenticated | Code::PermissionDenied if details.error_info().is_none() => ErrorKind::Unavailable,
            code => ErrorKind::of(code),
        };
        let word = details.error_info().map(|info| info.reason.as_str()).unwrap_or_default();
        let violations = details.bad_request().map(|request| &request.field_violations[..]).unwrap_or_default();
        let violations = violations
            .iter()
            .map(|violation| Violation { pointer: violation.field.clone(), code: violation.description.clone() })
            .collect();
        Self { reason: Reason::parse(word, kind), violations }
    }
}

impl DomainError for CallError {
    fn reason(&self) -> Reason {
        self.reason
    }

    fn violations(&self) -> &[Violation] {
        &self.violations
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_arrives_as_it_left() {
        for reason in [Reason::ReportInvalid, Reason::Other(ErrorKind::Invalid)] {
            let sent = CallError {
                reason,
                violations: vec![Violation { pointer: "/answers/pain".to_owned(), code: "range".to_owned() }],
            };
            assert_eq!(CallError::from(status(&sent)), sent);
        }
    }

    #[test]
    fn a_status_that_is_not_ours_has_no_reason_beyond_its_kind() {
        let error = CallError::from(Status::unavailable("tcp connect error: somebody's words"));
        assert_eq!(error.reason, Reason::Other(ErrorKind::Unavailable));
        assert_eq!(error.to_string(), "unavailable");
    }

    #[test]
    fn a_peer_that_went_away_in_the_middle_of_a_call_may_be_asked_again() {
        for status in [Status::unknown("transport error"), Status::cancelled("stream closed")] {
            assert_eq!(CallError::from(status).kind(), ErrorKind::Unavailable);
        }
    }

    #[test]
    fn a_caller_that_is_not_let_in_has_lost_what_it_needs() {
        for status in [Status::unauthenticated("no certificate"), Status::permission_denied("gateway may not")] {
            assert_eq!(CallError::from(status).kind(), ErrorKind::Unavailable);
        }
    }
}
