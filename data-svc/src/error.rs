use proto::{DomainError, ErrorKind};
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
    /// A field that another service of ours must fill in correctly.
    #[error("the request's {0} is malformed")]
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
            Self::KeyReused | Self::Malformed(_) => ErrorKind::Invalid,
            Self::Store(error) => error.kind(),
        }
    }

    fn reason(&self) -> &'static str {
        match self {
            Self::AssignmentNotFound => "assignment-not-found",
            Self::ReportNotFound => "report-not-found",
            Self::ProjectNotFound => "project-not-found",
            Self::KeyReused => "idempotency-key-reused",
            Self::Malformed(_) => "malformed",
            Self::Store(error) => error.reason(),
        }
    }
}
