use proto::{DomainError, ErrorKind, Reason};
use service_kit::database::StoreError;

/// Why data-svc did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DataError {
    #[error("no such assignment")]
    AssignmentNotFound,
    #[error("no such report")]
    ReportNotFound,
    #[error("no such project")]
    ProjectNotFound,
    #[error("no such site")]
    SiteNotFound,
    #[error("no such questionnaire")]
    QuestionnaireNotFound,
    #[error("the idempotency key was used with other content")]
    KeyReused,
    #[error("another request with the idempotency key has not ended yet")]
    KeyInProgress,
    #[error("a report was captured in the window before")]
    WindowUsed,
    #[error("the windows of the assignment are not made yet")]
    WindowsPending,
    #[error("the study takes no reports any more")]
    StudyClosed,
    #[error("the study has closed since the report was assessed")]
    StudyClosing,
    #[error("a newer revision replaces the report")]
    ReportSuperseded,
    #[error("the report has another revision or review by now")]
    RevisionMismatch,
    #[error("the report has been reviewed before")]
    AlreadyReviewed,
    #[error("the enrolment has sent too many reports within an hour")]
    TooManyReports,
    #[error("no such notification")]
    NotificationNotFound,
    #[error("the notification is on its way or was delivered")]
    NothingToResend,
    /// A field that another service of ours, or the store, must fill in correctly.
    #[error("{0} is malformed")]
    Malformed(&'static str),
    #[error("store")]
    Store(#[from] StoreError),
}

impl From<sqlx::Error> for DataError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

impl DomainError for DataError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::AssignmentNotFound
            | Self::ReportNotFound
            | Self::ProjectNotFound
            | Self::SiteNotFound
            | Self::QuestionnaireNotFound
            | Self::NotificationNotFound => ErrorKind::NotFound,
            Self::KeyReused => ErrorKind::Invalid,
            Self::KeyInProgress
            | Self::WindowUsed
            | Self::StudyClosed
            | Self::ReportSuperseded
            | Self::AlreadyReviewed
            | Self::NothingToResend => ErrorKind::Conflict,
            Self::RevisionMismatch => ErrorKind::Stale,
            Self::WindowsPending | Self::StudyClosing => ErrorKind::Unavailable,
            Self::TooManyReports => ErrorKind::Throttled,
            Self::Malformed(_) => ErrorKind::Internal,
            Self::Store(error) => error.kind(),
        }
    }

    fn reason(&self) -> Reason {
        match self {
            Self::AssignmentNotFound => Reason::AssignmentNotFound,
            Self::ReportNotFound => Reason::ReportNotFound,
            Self::ProjectNotFound => Reason::ProjectNotFound,
            Self::SiteNotFound => Reason::SiteNotFound,
            Self::QuestionnaireNotFound => Reason::QuestionnaireNotFound,
            Self::KeyReused => Reason::IdempotencyKeyReused,
            Self::KeyInProgress => Reason::IdempotencyKeyInProgress,
            Self::WindowUsed => Reason::WindowUsed,
            Self::WindowsPending => Reason::WindowsPending,
            Self::StudyClosed => Reason::StudyClosed,
            Self::ReportSuperseded => Reason::ReportSuperseded,
            Self::AlreadyReviewed => Reason::AlreadyReviewed,
            Self::RevisionMismatch => Reason::RevisionMismatch,
            Self::TooManyReports => Reason::TooManyReports,
            Self::NotificationNotFound => Reason::NotificationNotFound,
            Self::NothingToResend => Reason::NothingToResend,
            Self::StudyClosing | Self::Malformed(_) | Self::Store(_) => Reason::Other(self.kind()),
        }
    }
}
