use proto::data as pb;
use service_kit::error::Reason;
use telemetry::postgres::Db;

use super::{parse, review, urgent_revision};
use crate::error::DataError;
use crate::store;
use crate::store::report::Report;

/// A revision of a report, for its patient or for a nurse of its site.
pub(crate) async fn get_report(db: &Db, request: &pb::GetReportRequest) -> Result<pb::GetReportResponse, DataError> {
    let report_id = parse::id("report_id", &request.report_id)?;
    let viewer = request.viewer.as_ref().ok_or(DataError::Malformed("viewer"))?;
    let person_id = parse::id("viewer.person_id", &viewer.person_id)?;
    let site_ids = parse::ids("viewer.site_ids", &viewer.site_ids)?;
    let report = store::report::find(db, report_id, person_id, &site_ids)
        .await?
        .ok_or(DataError::Refused(Reason::ReportNotFound))?;
    Ok(message(report))
}

fn message(report: Report) -> pb::GetReportResponse {
    let alerts = report.alerts.into_iter().map(|alert| pb::Alert { rule: alert.rule, urgent: alert.urgent });
    let assessment = pb::Assessment {
        disposition: report.disposition.into(),
        held_because: report.held_because,
        score: report.score.map(|total| pb::Score { total, band: report.score_band }),
        alerts: alerts.collect(),
    };
    pb::GetReportResponse {
        report_id: report.report_id.to_string(),
        assignment_id: report.assignment_id.to_string(),
        revision: report.revision.unsigned_abs(),
        captured_at: Some(report.captured_at.into()),
        received_at: Some(parse::timestamp(report.received_at)),
        answers: report.answers.into(),
        questionnaire_id: report.questionnaire_id,
        version: report.version,
        url: report.url,
        person_id: report.person_id.to_string(),
        assessment: Some(assessment),
        supersedes: report.supersedes.map(|id| id.to_string()),
        reason: report.reason,
        superseded_by: report.superseded_by.map(|id| id.to_string()),
        current_revision: report.current_revision.unsigned_abs(),
        review: report.review.as_ref().map(review::message),
        state_number: report.state_number.unsigned_abs(),
        urgent_revisions: report.urgent_revisions.iter().map(urgent_revision::message).collect(),
    }
}
