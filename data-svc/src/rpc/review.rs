//! Reviews as messages.

use proto::data as pb;
use proto::report::ReviewOutcome;

use super::parse;
use crate::error::DataError;
use crate::store::review::Review;

pub(super) fn message(review: &Review) -> Result<pb::Review, DataError> {
    Ok(pb::Review {
        review_id: review.review_id.to_string(),
        reviewer_id: review.reviewer_id.to_string(),
        outcome: outcome(&review.outcome)?.into(),
        recorded_at: Some(parse::timestamp(review.recorded_at)),
    })
}

/// An outcome as it stands in the database.
pub(super) fn outcome(name: &str) -> Result<ReviewOutcome, DataError> {
    match name {
        "approved" => Ok(ReviewOutcome::Approved),
        "has_issues" => Ok(ReviewOutcome::HasIssues),
        "rejected" => Ok(ReviewOutcome::Rejected),
        _ => Err(DataError::Malformed("outcome")),
    }
}
