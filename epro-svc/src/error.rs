use proto::{CallError, DomainError, ErrorKind, Reason, Violation};

/// Why epro-svc did not take a report.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReportError {
    #[error("only a patient can submit a report")]
    NotAPatient,
    #[error("the report breaks rules")]
    Invalid(Vec<Violation>),
    #[error("the idempotency key was used with another body")]
    KeyReused,
    /// A field that another service of ours must fill in.
    #[error("{0} is missing")]
    Missing(&'static str),
    #[error("the stored questionnaire cannot be read")]
    Questionnaire(#[source] serde_json::Error),
    #[error("data-svc")]
    Call(#[from] CallError),
}

impl DomainError for ReportError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::NotAPatient => ErrorKind::Forbidden,
            Self::Invalid(_) | Self::KeyReused => ErrorKind::Invalid,
            Self::Missing(_) | Self::Questionnaire(_) => ErrorKind::Internal,
            Self::Call(error) => error.kind(),
        }
    }

    fn reason(&self) -> Reason {
        match self {
            Self::NotAPatient => Reason::WrongRole,
            Self::Invalid(_) => Reason::ReportInvalid,
            Self::KeyReused => Reason::IdempotencyKeyReused,
            Self::Missing(_) | Self::Questionnaire(_) => Reason::Other(self.kind()),
            Self::Call(error) => error.reason(),
        }
    }

    fn violations(&self) -> &[Violation] {
        match self {
            Self::Invalid(violations) => violations,
            Self::Call(error) => error.violations(),
            _ => &[],
        }
    }
}
