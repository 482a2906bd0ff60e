use proto::{CallError, DomainError, ErrorKind, Reason, Violation};

/// Why epro-svc did not take a report, a new revision, a review or a wish of a nurse.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReportError {
    #[error("the role may not do this")]
    WrongRole,
    #[error("the report breaks rules")]
    Invalid(Vec<Violation>),
    #[error("the idempotency key was used with other content")]
    KeyReused,
    #[error("a report was captured in the window before")]
    WindowUsed,
    #[error("the study takes no reports any more")]
    StudyClosed,
    #[error("the report has another revision or review by now")]
    RevisionMismatch,
    #[error("a newer revision replaces the report")]
    Superseded,
    #[error("the report has as many revisions as it may have")]
    RevisionLimit,
    /// A field that another service of ours must fill in.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// The parser's own words are left out: they quote the questionnaire, which tells what a patient suffers from.
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
    fn kind(&self) -> ErrorKind {
        match self {
            Self::WrongRole => ErrorKind::Forbidden,
            Self::Invalid(_) | Self::KeyReused => ErrorKind::Invalid,
            Self::WindowUsed | Self::StudyClosed | Self::Superseded | Self::RevisionLimit => ErrorKind::Conflict,
            Self::RevisionMismatch => ErrorKind::Stale,
            Self::Missing(_) | Self::Questionnaire { .. } => ErrorKind::Internal,
            Self::Call(error) => error.kind(),
        }
    }

    fn reason(&self) -> Reason {
        match self {
            Self::WrongRole => Reason::WrongRole,
            Self::Invalid(_) => Reason::ReportInvalid,
            Self::KeyReused => Reason::IdempotencyKeyReused,
            Self::WindowUsed => Reason::WindowUsed,
            Self::StudyClosed => Reason::StudyClosed,
            Self::RevisionMismatch => Reason::RevisionMismatch,
            Self::Superseded => Reason::ReportSuperseded,
            Self::RevisionLimit => Reason::RevisionLimit,
            Self::Missing(_) | Self::Questionnaire { .. } => Reason::Other(self.kind()),
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
