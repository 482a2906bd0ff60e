use proto::report::{ReviewOutcome, ReviewReportRequest, ReviewReportResponse};
use proto::user::Role;

use super::principal_as;
use crate::clients::Data;
use crate::error::ReportError;

/// Stores a nurse's verdict on a report of one of her sites.
pub(crate) async fn review_report(
    data: &Data,
    request: ReviewReportRequest,
) -> Result<ReviewReportResponse, ReportError> {
    let outcome = request.outcome();
    let principal = principal_as(Role::Nurse, request.principal)?;
    if outcome == ReviewOutcome::Unspecified {
        return Err(ReportError::Missing("outcome"));
    }
    let saved = data.save_review(&principal, request.report_id, outcome).await?;
    Ok(ReviewReportResponse { review_id: saved.review_id })
}
