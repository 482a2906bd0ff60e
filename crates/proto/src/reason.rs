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
    /// The idempotency key was used for something else.
    IdempotencyKeyReused,
    /// Login or PIN is wrong.
    WrongCredentials,
    /// The access token is forged, expired, or its session has ended.
    InvalidToken,
    /// The person may not use the study any more.
    Inactive,
    /// The role may not do this.
    WrongRole,
    /// There is no such questionnaire or version.
    QuestionnaireNotFound,
    /// The site does not exist or may not be seen.
    SiteNotFound,
    /// Another request with the idempotency key has not ended yet.
    IdempotencyKeyInProgress,
    /// A report was captured in the window before.
    WindowUsed,
    /// The windows of the assignment are not made yet.
    WindowsPending,
    /// The study takes no reports any more.
    StudyClosed,
    /// The report has been reviewed before.
    AlreadyReviewed,
    /// A newer revision replaces the report.
    ReportSuperseded,
    /// The report has as many revisions as it may have.
    RevisionLimit,
    /// The report has another revision or review by now than the client has seen.
    RevisionMismatch,
    /// The activation code is unknown, used or expired.
    InvalidActivationCode,
    /// The PIN is not one that can be chosen.
    PinTooSimple,
    /// The refresh token is unknown, used or expired, or its session has ended.
    InvalidRefreshToken,
    /// The patient does not exist or is not one of the site's.
    PatientNotFound,
    /// The notification does not exist or may not be seen.
    NotificationNotFound,
    /// The notification is on its way, or was delivered.
    NothingToResend,
    /// The enrolment has sent too many reports within an hour.
    TooManyReports,
    /// None beyond the kind.
    Other(ErrorKind),
}

impl Reason {
    const NAMED: [Self; 26] = [
        Self::AssignmentNotFound,
        Self::ReportNotFound,
        Self::ProjectNotFound,
        Self::ReportInvalid,
        Self::IdempotencyKeyReused,
        Self::WrongCredentials,
        Self::InvalidToken,
        Self::Inactive,
        Self::WrongRole,
        Self::QuestionnaireNotFound,
        Self::SiteNotFound,
        Self::IdempotencyKeyInProgress,
        Self::WindowUsed,
        Self::WindowsPending,
        Self::StudyClosed,
        Self::AlreadyReviewed,
        Self::ReportSuperseded,
        Self::RevisionLimit,
        Self::RevisionMismatch,
        Self::InvalidActivationCode,
        Self::PinTooSimple,
        Self::InvalidRefreshToken,
        Self::PatientNotFound,
        Self::NotificationNotFound,
        Self::NothingToResend,
        Self::TooManyReports,
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
            Self::QuestionnaireNotFound => "questionnaire-not-found",
            Self::SiteNotFound => "site-not-found",
            Self::IdempotencyKeyInProgress => "idempotency-key-in-progress",
            Self::WindowUsed => "window-used",
            Self::WindowsPending => "windows-pending",
            Self::StudyClosed => "study-closed",
            Self::AlreadyReviewed => "already-reviewed",
            Self::ReportSuperseded => "report-superseded",
            Self::RevisionLimit => "revision-limit",
            Self::RevisionMismatch => "revision-mismatch",
            Self::InvalidActivationCode => "invalid-activation-code",
            Self::PinTooSimple => "pin-too-simple",
            Self::InvalidRefreshToken => "invalid-refresh-token",
            Self::PatientNotFound => "patient-not-found",
            Self::NotificationNotFound => "notification-not-found",
            Self::NothingToResend => "nothing-to-resend",
            Self::TooManyReports => "too-many-reports",
            Self::Other(ErrorKind::Invalid) => "invalid",
            Self::Other(ErrorKind::Unauthenticated) => "unauthenticated",
            Self::Other(ErrorKind::Forbidden) => "forbidden",
            Self::Other(ErrorKind::NotFound) => "not-found",
            Self::Other(ErrorKind::Conflict) => "conflict",
            Self::Other(ErrorKind::Stale) => "stale",
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
