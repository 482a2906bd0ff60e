use proto::{DomainError, ErrorKind, Reason};
use service_kit::database::StoreError;

/// Why user-svc did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UserError {
    /// The same for an unknown login and a wrong PIN: who asks learns nothing of who exists.
    #[error("login or PIN is wrong")]
    WrongCredentials,
    #[error("the access token is not valid")]
    InvalidToken,
    #[error("this person may not use the study any more")]
    Inactive,
    /// A field that another service of ours must fill in correctly.
    #[error("the request's {0} is malformed")]
    Malformed(&'static str),
    #[error("tokens cannot be signed")]
    Signing(#[source] jsonwebtoken::errors::Error),
    #[error("a stored {0} cannot be used")]
    Corrupt(&'static str),
    #[error("store")]
    Store(#[from] StoreError),
}

impl From<sqlx::Error> for UserError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

impl DomainError for UserError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::WrongCredentials | Self::InvalidToken => ErrorKind::Unauthenticated,
            Self::Inactive => ErrorKind::Forbidden,
            Self::Malformed(_) | Self::Signing(_) | Self::Corrupt(_) => ErrorKind::Internal,
            Self::Store(error) => error.kind(),
        }
    }

    fn reason(&self) -> Reason {
        match self {
            Self::WrongCredentials => Reason::WrongCredentials,
            Self::InvalidToken => Reason::InvalidToken,
            Self::Inactive => Reason::Inactive,
            Self::Malformed(_) | Self::Signing(_) | Self::Corrupt(_) | Self::Store(_) => Reason::Other(self.kind()),
        }
    }
}
