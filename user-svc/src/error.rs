use std::sync::LazyLock;

use proto::{DomainError, ErrorKind, Reason, Violation};
use service_kit::database::StoreError;

/// Why user-svc did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UserError {
    /// The same for an unknown login, a wrong PIN and a locked login: who asks learns nothing of who exists.
    #[error("login or PIN is wrong")]
    WrongCredentials,
    /// The same for a code that never was, was used, or has expired.
    #[error("the activation code is not valid")]
    InvalidActivationCode,
    #[error("the PIN is too simple")]
    PinTooSimple,
    #[error("the refresh token is not valid")]
    InvalidRefreshToken,
    #[error("the access token is not valid")]
    InvalidToken,
    #[error("this person may not use the study any more")]
    Inactive,
    #[error("the site is not one of the caller's")]
    SiteNotFound,
    #[error("the site has no such patient")]
    PatientNotFound,
    /// A field that another service of ours must fill in correctly.
    #[error("the request's {0} is malformed")]
    Malformed(&'static str),
    #[error("tokens cannot be signed")]
    Signing(#[source] jsonwebtoken::errors::Error),
    #[error("there are no random numbers")]
    Random(#[source] getrandom::Error),
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
            Self::WrongCredentials | Self::InvalidActivationCode | Self::InvalidRefreshToken | Self::InvalidToken => {
                ErrorKind::Unauthenticated
            }
            Self::PinTooSimple => ErrorKind::Invalid,
            Self::Inactive => ErrorKind::Forbidden,
            Self::SiteNotFound | Self::PatientNotFound => ErrorKind::NotFound,
            Self::Malformed(_) | Self::Signing(_) | Self::Random(_) | Self::Corrupt(_) => ErrorKind::Internal,
            Self::Store(error) => error.kind(),
        }
    }

    fn reason(&self) -> Reason {
        match self {
            Self::WrongCredentials => Reason::WrongCredentials,
            Self::InvalidActivationCode => Reason::InvalidActivationCode,
            Self::PinTooSimple => Reason::PinTooSimple,
            Self::InvalidRefreshToken => Reason::InvalidRefreshToken,
            Self::InvalidToken => Reason::InvalidToken,
            Self::Inactive => Reason::Inactive,
            Self::SiteNotFound => Reason::SiteNotFound,
            Self::PatientNotFound => Reason::PatientNotFound,
            Self::Malformed(_) | Self::Signing(_) | Self::Random(_) | Self::Corrupt(_) | Self::Store(_) => {
                Reason::Other(self.kind())
            }
        }
    }

    fn violations(&self) -> &[Violation] {
        match self {
            Self::PinTooSimple => &*PIN_TOO_SIMPLE,
            _ => &[],
        }
    }
}

static PIN_TOO_SIMPLE: LazyLock<[Violation; 1]> =
    LazyLock::new(|| [Violation { pointer: "/pin".to_owned(), code: "pin-too-simple".to_owned() }]);
