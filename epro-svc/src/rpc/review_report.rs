use proto::data::SaveReviewRequest;
use proto::domain::{ReviewOutcome, Role};
use proto::report::{ReviewReportRequest, ReviewReportResponse};

use super::{change_fingerprint, principal_as};
use crate::clients::Data;
use crate::error::ReportError;

/// Stores a nurse's verdict on a report of one of her sites. A repeated request gets the answer of the first one.
pub(crate) async fn review_report(
    data: &Data,
    request: ReviewReportRequest,
) -> Result<ReviewReportResponse, ReportError> {
    let outcome = request.outcome();
    let principal = principal_as(Role::Nurse, request.principal)?;
    if outcome == ReviewOutcome::Unspecified {
        return Err(ReportError::Missing("outcome"));
    }
    let content = outcome.as_str_name().as_bytes();
    let request = SaveReviewRequest {
        key_fingerprint: change_fingerprint("review", &request.report_id, &principal, content),
        viewer: Some(service_kit::viewer(principal)),
        report_id: request.report_id,
        outcome: outcome.into(),
        idempotency_key: request.idempotency_key,
    };
    let saved = data.save_review(request).await?;
    Ok(ReviewReportResponse { review_id: saved.review_id })
}
