use proto::domain as pb;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::problem::Problem;

/// A nurse's verdict on a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ReviewOutcome {
    Approved,
    HasIssues,
    Rejected,
}

impl ReviewOutcome {
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

impl TryFrom<pb::ReviewOutcome> for ReviewOutcome {
    type Error = Problem;

    fn try_from(outcome: pb::ReviewOutcome) -> Result<Self, Problem> {
        match outcome {
            pb::ReviewOutcome::Approved => Ok(Self::Approved),
            pb::ReviewOutcome::HasIssues => Ok(Self::HasIssues),
            pb::ReviewOutcome::Rejected => Ok(Self::Rejected),
            pb::ReviewOutcome::Unspecified => Err(Problem::INTERNAL),
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
