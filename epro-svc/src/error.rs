use proto::{CallError, DomainError, ErrorKind, Violation};

/// Why epro-svc did not take a report.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReportError {
    #[error("only a patient can submit a report")]
    NotAPatient,
    #[error("the report breaks rules")]
    Invalid(Vec<Violation>),
    #[error("the idempotency key was used with another body")]
    KeyReused,
    #[error("the request's {0} is missing")]
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
            Self::Invalid(_) | Self::KeyReused | Self::Missing(_) => ErrorKind::Invalid,
            Self::Questionnaire(_) => ErrorKind::Internal,
            Self::Call(error) => error.kind(),
        }
    }

    fn reason(&self) -> &'static str {
        match self {
            Self::NotAPatient => "wrong-role",
            Self::Invalid(_) => "report-invalid",
            Self::KeyReused => "idempotency-key-reused",
            Self::Missing(_) => "malformed",
            Self::Questionnaire(_) => "internal",
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
