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
    #[error("the idempotency key was used with another body")]
    KeyReused,
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
            Self::AssignmentNotFound | Self::ReportNotFound | Self::ProjectNotFound => ErrorKind::NotFound,
            Self::KeyReused => ErrorKind::Invalid,
            Self::Malformed(_) => ErrorKind::Internal,
            Self::Store(error) => error.kind(),
        }
    }

    fn reason(&self) -> Reason {
        match self {
            Self::AssignmentNotFound => Reason::AssignmentNotFound,
            Self::ReportNotFound => Reason::ReportNotFound,
            Self::ProjectNotFound => Reason::ProjectNotFound,
            Self::KeyReused => Reason::IdempotencyKeyReused,
            Self::Malformed(_) | Self::Store(_) => Reason::Other(self.kind()),
        }
    }
}
