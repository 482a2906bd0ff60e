use crate::ErrorKind;

/// Why a request was not done, in one word that clients can rely on: the last part of the problem type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// The assignment does not exist or is another patient's.
    AssignmentNotFound,
    /// The report does not exist or may not be seen.
    ReportNotFound,
    /// The study does not exist or may not be seen.
    ProjectNotFound,
    /// The report breaks rules; they are listed.
    ReportInvalid,
    /// The idempotency key was used with another body.
    IdempotencyKeyReused,
    /// Login or PIN is wrong.
    WrongCredentials,
    /// The access token is forged, expired, or its session has ended.
    InvalidToken,
    /// The person may not use the study any more.
    Inactive,
    /// The role may not do this.
    WrongRole,
    /// None beyond the kind.
    Other(ErrorKind),
}

impl Reason {
    const NAMED: [Self; 9] = [
        Self::AssignmentNotFound,
        Self::ReportNotFound,
        Self::ProjectNotFound,
        Self::ReportInvalid,
        Self::IdempotencyKeyReused,
        Self::WrongCredentials,
        Self::InvalidToken,
        Self::Inactive,
        Self::WrongRole,
    ];

    /// The word, as it stands in a problem type and on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AssignmentNotFound => "assignment-not-found",
            Self::ReportNotFound => "report-not-found",
            Self::ProjectNotFound => "project-not-found",
            Self::ReportInvalid => "report-invalid",
            Self::IdempotencyKeyReused => "idempotency-key-reused",
            Self::WrongCredentials => "wrong-credentials",
            Self::InvalidToken => "invalid-token",
            Self::Inactive => "inactive",
            Self::WrongRole => "wrong-role",
            Self::Other(ErrorKind::Invalid) => "invalid",
            Self::Other(ErrorKind::Unauthenticated) => "unauthenticated",
            Self::Other(ErrorKind::Forbidden) => "forbidden",
            Self::Other(ErrorKind::NotFound) => "not-found",
            Self::Other(ErrorKind::Conflict) => "conflict",
            Self::Other(ErrorKind::Throttled) => "throttled",
            Self::Other(ErrorKind::Unavailable) => "unavailable",
            Self::Other(ErrorKind::Timeout) => "timeout",
            Self::Other(ErrorKind::Internal) => "internal",
        }
    }

    /// The reason with this word, else none beyond the kind: only words of ours travel on.
    pub(crate) fn parse(word: &str, kind: ErrorKind) -> Self {
        Self::NAMED.into_iter().find(|reason| reason.as_str() == word).unwrap_or(Self::Other(kind))
    }
}
