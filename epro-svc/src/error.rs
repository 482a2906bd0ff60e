use service_kit::error::{CallError, DomainError, ErrorKind, Reason, Violation};

/// Why epro-svc refused a request of a patient or a nurse, or could not carry it out.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReportError {
    #[error("refused: {}", .0.as_str())]
    Refused(Reason),
    #[error("the report breaks rules")]
    Invalid(Vec<Violation>),
    /// A field that another of our services must fill in.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// The parser's message is left out: it quotes the questionnaire, which reveals what a patient suffers from.
    #[error("the stored questionnaire cannot be read, line {line}, column {column}")]
    Questionnaire { line: usize, column: usize },
    #[error("data-svc")]
    Call(#[from] CallError),
}

impl From<serde_json::Error> for ReportError {
    fn from(error: serde_json::Error) -> Self {
        Self::Questionnaire { line: error.line(), column: error.column() }
    }
}

impl DomainError for ReportError {
    fn reason(&self) -> Reason {
        match self {
            Self::Refused(reason) => *reason,
            Self::Invalid(_) => Reason::ReportInvalid,
            Self::Missing(_) | Self::Questionnaire { .. } => Reason::Other(ErrorKind::Internal),
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
