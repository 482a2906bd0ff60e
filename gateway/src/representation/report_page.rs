use proto::data as pb;
use proto::domain::Role;
use serde::Serialize;
use utoipa::ToSchema;

use super::{Disposition, ReviewOutcome, TitledQuestionnaire, UrgentRevision, captured, rfc3339};
use crate::extract::Cursor;
use crate::problem::Problem;

/// Some reports of a list, newest first.
#[derive(Serialize, ToSchema)]
pub(crate) struct ReportPage {
    reports: Vec<ReportSummary>,
    /// The `cursor` of the next page; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, value_type = Option<String>)]
    next_cursor: Option<Cursor>,
}

/// The newest revision of a report, in short.
#[derive(Serialize, ToSchema)]
pub(crate) struct ReportSummary {
    #[schema(format = Uuid)]
    report_id: String,
    #[schema(format = Uuid)]
    assignment_id: String,
    questionnaire: TitledQuestionnaire,
    #[schema(minimum = 1)]
    revision: u32,
    /// Time by the phone's clock, with its offset.
    #[schema(format = DateTime)]
    captured_at: String,
    /// Time by the server's clock.
    #[schema(format = DateTime)]
    received_at: String,
    disposition: Disposition,
    /// Absent while nobody has reviewed it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    review: Option<ReviewOutcome>,
    /// Whether this revision or an earlier one has an urgent alert and nobody has reviewed it; for nurses only.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    urgent: Option<bool>,
    /// The revisions with an urgent alert that wait for a review, oldest first; for nurses only, absent if there is
    /// none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    urgent_revisions: Vec<UrgentRevision>,
}

impl ReportPage {
    /// A page as somebody with `role` may see it.
    pub(crate) fn new(response: pb::ListReportsResponse, role: Role) -> Result<Self, Problem> {
        let reports = response.reports.into_iter().map(|report| ReportSummary::new(report, role));
        Ok(Self { reports: reports.collect::<Result<_, _>>()?, next_cursor: response.next.map(Cursor) })
    }
}

impl ReportSummary {
    fn new(report: pb::ReportSummary, role: Role) -> Result<Self, Problem> {
        let is_nurse = role == Role::Nurse;
        Ok(Self {
            disposition: report.disposition().try_into()?,
            review: report.review.map(|_| report.review().try_into()).transpose()?,
            urgent: is_nurse.then_some(report.urgent),
            urgent_revisions: report.urgent_revisions.into_iter().filter(|_| is_nurse).map(Into::into).collect(),
            report_id: report.report_id,
            assignment_id: report.assignment_id,
            questionnaire: TitledQuestionnaire {
                id: report.questionnaire_id,
                version: report.version,
                title: report.title,
            },
            revision: report.revision,
            captured_at: captured(report.captured_at)?.to_string(),
            received_at: rfc3339(report.received_at)?,
        })
    }
}
