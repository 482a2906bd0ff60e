use service_kit::database::StoreError;
use service_kit::error::{DomainError, ErrorKind, Reason};

use crate::values::Unspecified;

/// Why data-svc did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DataError {
    #[error("refused: {}", .0.as_str())]
    Refused(Reason),
    #[error("the study has closed since the report was assessed")]
    StudyClosing,
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
