use proto::{DomainError, ErrorKind};

/// Why notify-svc did not take a hint.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotifyError {
    #[error("the request's report_id is missing")]
    MissingReport,
}

impl DomainError for NotifyError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::MissingReport => ErrorKind::Invalid,
        }
    }

    fn reason(&self) -> &'static str {
        match self {
            Self::MissingReport => "malformed",
        }
    }
}
