use service_kit::database::StoreError;
use service_kit::error::{DomainError, ErrorKind, Reason};

use crate::values::Unspecified;

/// Why data-svc refused a request, or could not carry it out.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DataError {
    #[error("refused: {}", .0.as_str())]
    Refused(Reason),
    #[error("the study has closed since the report was assessed")]
    StudyClosing,
    /// A field that another of our services, or the database, must fill in correctly. It is a bug, not a user's
    /// mistake.
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

impl From<Unspecified> for DataError {
    fn from(Unspecified(field): Unspecified) -> Self {
        Self::Malformed(field)
    }
}

impl DomainError for DataError {
    fn reason(&self) -> Reason {
        match self {
            Self::Refused(reason) => *reason,
            Self::StudyClosing => Reason::Other(ErrorKind::Unavailable),
            Self::Malformed(_) => Reason::Other(ErrorKind::Internal),
            Self::Store(error) => error.reason(),
        }
    }
}
