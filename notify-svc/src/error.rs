use service_kit::error::{DomainError, ErrorKind, Reason};

/// Why notify-svc did not take a hint.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotifyError {
    /// epro-svc must fill it in.
    #[error("report_id is missing")]
    MissingReport,
}

impl DomainError for NotifyError {
    fn reason(&self) -> Reason {
        match self {
            Self::MissingReport => Reason::Other(ErrorKind::Internal),
        }
    }
}
