use std::fmt;

use http::StatusCode;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, FieldViolation, StatusExt};

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
    const TABLE: [(Self, Code, StatusCode); 9] = [
        (Self::Invalid, Code::InvalidArgument, StatusCode::UNPROCESSABLE_ENTITY),
        (Self::Unauthenticated, Code::Unauthenticated, StatusCode::UNAUTHORIZED),
        (Self::Forbidden, Code::PermissionDenied, StatusCode::FORBIDDEN),
        (Self::NotFound, Code::NotFound, StatusCode::NOT_FOUND),
        (Self::Conflict, Code::FailedPrecondition, StatusCode::CONFLICT),
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
            // A peer that went away in the middle of a call.
            Code::Cancelled | Code::Aborted => Self::Unavailable,
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

/// An error of a service's own business.
///
/// Its text is shown to clients: it must not quote input.
pub trait DomainError: std::error::Error {
    /// What a caller can do about it.
    fn kind(&self) -> ErrorKind;

    /// A stable word for the case; becomes the last part of the problem type.
    fn reason(&self) -> &'static str;

    /// The broken rules, if that is what it is about.
    fn violations(&self) -> &[Violation] {
        &[]
    }
}

/// An error as it leaves a service.
pub fn status(error: &dyn DomainError) -> Status {
    let mut details = ErrorDetails::with_error_info(error.reason(), DOMAIN, []);
    let violations: Vec<_> = error
        .violations()
        .iter()
        .map(|violation| FieldViolation::new(violation.pointer.clone(), violation.code.clone()))
        .collect();
    if !violations.is_empty() {
        details.set_bad_request(violations);
    }
    let message = match error.kind() {
        // What failed inside is for the log.
        ErrorKind::Internal => "internal error".to_owned(),
        _ => error.to_string(),
    };
    Status::with_error_details(error.kind().code(), message, details)
}

/// An error as it arrives at a caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallError {
    /// What the caller can do about it.
    pub kind: ErrorKind,
    /// The answering service's word for the case; empty when it gave none.
    pub reason: String,
    /// The broken rules, if any.
    pub violations: Vec<Violation>,
}

impl From<Status> for CallError {
    fn from(status: Status) -> Self {
        let details = status.get_error_details();
        let reason = details.error_info().map(|info| info.reason.clone()).unwrap_or_default();
        let violations = details.bad_request().map(|request| &request.field_violations[..]).unwrap_or_default();
        let violations = violations
            .iter()
            .map(|violation| Violation { pointer: violation.field.clone(), code: violation.description.clone() })
            .collect();
        Self { kind: ErrorKind::of(status.code()), reason, violations }
    }
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.reason())
    }
}

impl std::error::Error for CallError {}

impl DomainError for CallError {
    fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// A callee's reason is passed on in words of our own, so that only known ones travel.
    fn reason(&self) -> &'static str {
        const KNOWN: [&str; 4] =
            ["assignment-not-found", "idempotency-key-reused", "report-invalid", "report-not-found"];
        KNOWN.into_iter().find(|known| *known == self.reason).unwrap_or(match self.kind {
            ErrorKind::Invalid => "invalid",
            ErrorKind::Unauthenticated => "unauthenticated",
            ErrorKind::Forbidden => "forbidden",
            ErrorKind::NotFound => "not-found",
            ErrorKind::Conflict => "conflict",
            ErrorKind::Throttled => "throttled",
            ErrorKind::Unavailable => "unavailable",
            ErrorKind::Timeout => "timeout",
            ErrorKind::Internal => "internal",
        })
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
        let sent = CallError {
            kind: ErrorKind::Invalid,
            reason: "report-invalid".to_owned(),
            violations: vec![Violation { pointer: "/answers/pain".to_owned(), code: "range".to_owned() }],
        };
        assert_eq!(CallError::from(status(&sent)), sent);
    }

    #[test]
    fn each_kind_has_a_code_of_its_own() {
        for (kind, code, _) in ErrorKind::TABLE {
            assert_eq!(ErrorKind::of(code), kind);
        }
    }
}
