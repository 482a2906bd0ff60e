use proto::{DomainError, ErrorKind};

/// Why notify-svc did not take a hint.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotifyError {
    /// epro-svc must fill it in.
    #[error("report_id is missing")]
    MissingReport,
}

impl DomainError for NotifyError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::MissingReport => ErrorKind::Internal,
        }
    }
}
