//! Converts reviews to protobuf.

use proto::data as pb;

use super::parse;
use crate::store::review::Review;

pub(super) fn message(review: &Review) -> pb::Review {
    pb::Review {
        review_id: review.review_id.to_string(),
        reviewer_id: review.reviewer_id.to_string(),
        outcome: review.outcome.into(),
        recorded_at: Some(parse::timestamp(review.recorded_at)),
    }
}
