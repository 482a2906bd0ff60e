use proto::data as pb;
use telemetry::postgres::Db;

use super::parse;
use crate::error::DataError;
use crate::store;

/// A stored report, for its patient or for a nurse of its site.
pub(crate) async fn get_report(db: &Db, request: &pb::GetReportRequest) -> Result<pb::GetReportResponse, DataError> {
    let report_id = parse::id("report_id", &request.report_id)?;
    let viewer = request.viewer.as_ref().ok_or(DataError::Malformed("viewer"))?;
    let person_id = parse::id("viewer.person_id", &viewer.person_id)?;
    let site_ids = parse::ids("viewer.site_ids", &viewer.site_ids)?;
    let report = store::report::find(db, report_id, person_id, &site_ids).await?.ok_or(DataError::ReportNotFound)?;
    Ok(pb::GetReportResponse {
        report_id: report.report_id.to_string(),
        assignment_id: report.assignment_id.to_string(),
        revision: report.revision.unsigned_abs(),
        captured_at: report.captured_at.to_rfc3339(),
        received_at: Some(parse::timestamp(report.received_at)),
        answers: report.answers.into(),
    })
}
