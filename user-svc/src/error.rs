use std::sync::LazyLock;

use service_kit::database::StoreError;
use service_kit::error::{DomainError, ErrorKind, Reason, Violation};

/// Why a request failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UserError {
    /// Different causes share one reason on purpose, so that an attacker learns nothing: an unknown login, a wrong PIN
    /// and a locked login give the same answer, and so does a code or token that never existed, was used or has
    /// expired.
    #[error("refused: {}", .0.as_str())]
    Refused(Reason),
    /// A field that another of our services must fill in correctly.
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
    fn reason(&self) -> Reason {
        match self {
            Self::Refused(reason) => *reason,
            Self::Malformed(_) | Self::Signing(_) | Self::Random(_) | Self::Corrupt(_) => {
                Reason::Other(ErrorKind::Internal)
            }
            Self::Store(error) => error.reason(),
        }
    }

    fn violations(&self) -> &[Violation] {
        match self {
            Self::Refused(Reason::PinTooSimple) => &*PIN_TOO_SIMPLE,
            _ => &[],
        }
    }
}

static PIN_TOO_SIMPLE: LazyLock<[Violation; 1]> =
    LazyLock::new(|| [Violation { pointer: "/pin".to_owned(), code: "pin-too-simple".to_owned() }]);
