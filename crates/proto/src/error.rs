use http::StatusCode;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, FieldViolation, StatusExt};

use crate::Reason;

/// Says in an `ErrorInfo` who the reason belongs to.
const DOMAIN: &str = "epro";

/// What went wrong, in the few kinds a caller can act on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The request breaks a rule; sending it again changes nothing.
    Invalid,
    /// Nobody knows who is asking.
    Unauthenticated,
    /// Known, but not allowed.
    Forbidden,
    /// Not there, or not visible to the caller, which is the same to them.
    NotFound,
    /// It contradicts what is stored.
    Conflict,
    /// It has changed since the caller last looked.
    Stale,
    /// Too much for now.
    Throttled,
    /// Something that is needed is down; later it may work.
    Unavailable,
    /// The time the caller gave has run out.
    Timeout,
    /// A defect of ours.
    Internal,
}

impl ErrorKind {
    /// kind -> gRPC code -> HTTP status: the one table.
    const TABLE: [(Self, Code, StatusCode); 10] = [
        (Self::Invalid, Code::InvalidArgument, StatusCode::UNPROCESSABLE_ENTITY),
        (Self::Unauthenticated, Code::Unauthenticated, StatusCode::UNAUTHORIZED),
        (Self::Forbidden, Code::PermissionDenied, StatusCode::FORBIDDEN),
        (Self::NotFound, Code::NotFound, StatusCode::NOT_FOUND),
        (Self::Conflict, Code::FailedPrecondition, StatusCode::CONFLICT),
        (Self::Stale, Code::Aborted, StatusCode::PRECONDITION_FAILED),
        (Self::Throttled, Code::ResourceExhausted, StatusCode::TOO_MANY_REQUESTS),
        (Self::Unavailable, Code::Unavailable, StatusCode::SERVICE_UNAVAILABLE),
        (Self::Timeout, Code::DeadlineExceeded, StatusCode::SERVICE_UNAVAILABLE),
        (Self::Internal, Code::Internal, StatusCode::INTERNAL_SERVER_ERROR),
    ];

    /// The gRPC code the kind travels as.
    pub fn code(self) -> Code {
        Self::TABLE.into_iter().find(|row| row.0 == self).map_or(Code::Internal, |row| row.1)
    }

    /// The HTTP status the kind ends up as.
    pub fn http_status(self) -> StatusCode {
        Self::TABLE.into_iter().find(|row| row.0 == self).map_or(StatusCode::INTERNAL_SERVER_ERROR, |row| row.2)
    }

    fn of(code: Code) -> Self {
        match code {
            // A peer that went away in the middle of a call; no service of ours answers with one of these.
            Code::Cancelled | Code::Unknown => Self::Unavailable,
            code => Self::TABLE.into_iter().find(|row| row.1 == code).map_or(Self::Internal, |row| row.0),
        }
    }
}

/// A broken rule: where and which, never the value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// JSON pointer into the request's body.
    pub pointer: String,
    /// The rule's id.
    pub code: String,
}

/// An error of a service's own business. Its text and its causes go to the log, so they must not
/// quote input; a caller gets kind, reason and broken rules.
pub trait DomainError: std::error::Error {
    /// What a caller can do about it.
    fn kind(&self) -> ErrorKind;

    /// What it is, if there is more to say than the kind.
    fn reason(&self) -> Reason {
        Reason::Other(self.kind())
    }

    /// The broken rules, if that is what it is about.
    fn violations(&self) -> &[Violation] {
        &[]
    }
}

/// An error as it leaves a service.
pub fn status(error: &dyn DomainError) -> Status {
    let reason = error.reason().as_str();
    let mut details = ErrorDetails::with_error_info(reason, DOMAIN, []);
    let violations: Vec<_> = error
        .violations()
        .iter()
        .map(|violation| FieldViolation::new(violation.pointer.clone(), violation.code.clone()))
        .collect();
    if !violations.is_empty() {
        details.set_bad_request(violations);
    }
    Status::with_error_details(error.kind().code(), reason, details)
}

/// An error as it arrives at a caller.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", reason.as_str())]
pub struct CallError {
    /// What the caller can do about it.
    pub kind: ErrorKind,
    /// What it is.
    pub reason: Reason,
    /// The broken rules, if any.
    pub violations: Vec<Violation>,
}

impl From<Status> for CallError {
    fn from(status: Status) -> Self {
        let details = status.get_error_details();
        let kind = match status.code() {
            // Not a service's own words about who is asking, but what the mesh, or something on the way, says about
            // this process: until somebody has mended that, nothing works.
            Code::Unauthenticated | Code::PermissionDenied if details.error_info().is_none() => ErrorKind::Unavailable,
            code => ErrorKind::of(code),
        };
        let word = details.error_info().map(|info| info.reason.as_str()).unwrap_or_default();
        let violations = details.bad_request().map(|request| &request.field_violations[..]).unwrap_or_default();
        let violations = violations
            .iter()
            .map(|violation| Violation { pointer: violation.field.clone(), code: violation.description.clone() })
            .collect();
        Self { kind, reason: Reason::parse(word, kind), violations }
    }
}

impl DomainError for CallError {
    fn kind(&self) -> ErrorKind {
        self.kind
    }

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
                kind: ErrorKind::Invalid,
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
            assert_eq!(CallError::from(status).kind, ErrorKind::Unavailable);
        }
    }

    #[test]
    fn a_caller_that_is_not_let_in_has_lost_what_it_needs() {
        for status in [Status::unauthenticated("no certificate"), Status::permission_denied("gateway may not")] {
            assert_eq!(CallError::from(status).kind, ErrorKind::Unavailable);
        }
    }

    #[test]
    fn each_kind_has_a_code_of_its_own() {
        for (kind, code, _) in ErrorKind::TABLE {
            assert_eq!(ErrorKind::of(code), kind);
        }
    }
}
