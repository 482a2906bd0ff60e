use proto::report as pb;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A nurse's verdict on a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ReviewOutcome {
    Approved,
    HasIssues,
    Rejected,
}

impl ReviewOutcome {
    /// The outcome; none while nobody has reviewed.
    pub(crate) fn of(outcome: pb::ReviewOutcome) -> Option<Self> {
        match outcome {
            pb::ReviewOutcome::Approved => Some(Self::Approved),
            pb::ReviewOutcome::HasIssues => Some(Self::HasIssues),
            pb::ReviewOutcome::Rejected => Some(Self::Rejected),
            pb::ReviewOutcome::Unspecified => None,
        }
    }

    /// The outcome with this name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        match name {
            "approved" => Some(Self::Approved),
            "has_issues" => Some(Self::HasIssues),
            "rejected" => Some(Self::Rejected),
            _ => None,
        }
    }
}

impl From<ReviewOutcome> for pb::ReviewOutcome {
    fn from(outcome: ReviewOutcome) -> Self {
        match outcome {
            ReviewOutcome::Approved => Self::Approved,
            ReviewOutcome::HasIssues => Self::HasIssues,
            ReviewOutcome::Rejected => Self::Rejected,
        }
    }
}
