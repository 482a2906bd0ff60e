use axum::Json;
use axum::extract::State;
use http::HeaderName;
use http::header::ETAG;
use proto::data as pb;
use proto::domain::Role;
use serde::Serialize;
use service_kit::error::Reason;
use utoipa::ToSchema;

use crate::caller::Anyone;
use crate::extract::PathId;
use crate::problem::Problem;
use crate::representation::{
    Answers, Disposition, QuestionnaireReference, ReviewOutcome, UrgentRevision, captured, report_tag, rfc3339,
};
use crate::shared::Shared;

/// One revision of a report.
#[derive(Serialize, ToSchema)]
pub(crate) struct Report {
    #[schema(format = Uuid)]
    report_id: String,
    #[schema(format = Uuid)]
    assignment_id: String,
    questionnaire: QuestionnaireReference,
    #[schema(minimum = 1)]
    revision: u32,
    /// Number of the newest revision.
    #[schema(minimum = 1)]
    current_revision: u32,
    /// Time by the phone's clock, with its offset.
    #[schema(format = DateTime)]
    captured_at: String,
    /// Time by the server's clock.
    #[schema(format = DateTime)]
    received_at: String,
    disposition: Disposition,
    /// Why it is held.
    held_because: Vec<String>,
    answers: Answers,
    /// The revision that this one replaces; absent for the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, format = Uuid)]
    supersedes: Option<String>,
    /// Why it replaces that one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    reason: Option<String>,
    /// The revision that replaces this one; absent for the newest.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, format = Uuid)]
    superseded_by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    review: Option<Review>,
    /// For nurses only; absent when the questionnaire is not scored.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    score: Option<Score>,
    /// For nurses only.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    alerts: Option<Vec<Alert>>,
    /// Revisions of this report with an urgent alert that nobody has reviewed, oldest first; for nurses only, absent
    /// if there is none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    urgent_revisions: Vec<UrgentRevision>,
}

#[derive(Serialize, ToSchema)]
struct Review {
    #[schema(format = Uuid)]
    review_id: String,
    #[schema(format = Uuid)]
    reviewer_id: String,
    outcome: ReviewOutcome,
    #[schema(format = DateTime)]
    recorded_at: String,
}

#[derive(Serialize, ToSchema)]
struct Score {
    total: i32,
    /// Id of the severity band, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    band: Option<String>,
}

/// A rule of the questionnaire that the answers triggered.
#[derive(Serialize, ToSchema)]
struct Alert {
    rule: String,
    urgent: bool,
}

/// Read a report
///
/// Open to its patient and to the nurses of its site.
#[utoipa::path(
    get,
    path = "/v1/reports/{id}",
    tag = "reports",
    security(("bearer" = [])),
    params(("id" = Uuid, Path, description = "Any revision.")),
    responses((
        status = 200, description = "The report.", body = Report,
        headers(("etag" = String, description = "Another one after every revision and review: what If-Match asks for.")),
    )),
    extensions(("x-problems" = json!([Reason::Inactive, Reason::ReportNotFound]))),
)]
pub(crate) async fn get_report(
    State(shared): State<Shared>,
    Anyone(principal): Anyone,
    PathId(id): PathId,
) -> Result<([(HeaderName, String); 1], Json<Report>), Problem> {
    let role = principal.role();
    let report = shared.data.get_report(principal, id).await?;
    let etag = report_tag(report.state_number, role);
    Ok(([(ETAG, etag)], Json(Report::new(report, role)?)))
}

impl Report {
    /// Id and version of the questionnaire.
    pub(crate) fn questionnaire(&self) -> (String, String) {
        (self.questionnaire.id.clone(), self.questionnaire.version.clone())
    }

    /// A report as somebody with `role` may see it.
    fn new(report: pb::GetReportResponse, role: Role) -> Result<Self, Problem> {
        let assessment = report.assessment.ok_or(Problem::INTERNAL)?;
        let disposition = assessment.disposition().try_into()?;
        let is_nurse = role == Role::Nurse;
        Ok(Self {
            report_id: report.report_id,
            assignment_id: report.assignment_id,
            questionnaire: QuestionnaireReference { id: report.questionnaire_id, version: report.version },
            revision: report.revision,
            current_revision: report.current_revision,
            captured_at: captured(report.captured_at)?.to_string(),
            received_at: rfc3339(report.received_at)?,
            disposition,
            held_because: assessment.held_because,
            answers: report.answers.into(),
            supersedes: report.supersedes,
            reason: report.reason,
            superseded_by: report.superseded_by,
            review: report.review.map(Review::try_from).transpose()?,
            score: assessment.score.filter(|_| is_nurse).map(Into::into),
            alerts: is_nurse.then(|| assessment.alerts.into_iter().map(Into::into).collect()),
            urgent_revisions: report.urgent_revisions.into_iter().filter(|_| is_nurse).map(Into::into).collect(),
        })
    }
}

impl TryFrom<pb::Review> for Review {
    type Error = Problem;

    fn try_from(review: pb::Review) -> Result<Self, Problem> {
        Ok(Self {
            outcome: review.outcome().try_into()?,
            review_id: review.review_id,
            reviewer_id: review.reviewer_id,
            recorded_at: rfc3339(review.recorded_at)?,
        })
    }
}

impl From<pb::Score> for Score {
    fn from(score: pb::Score) -> Self {
        Self { total: score.total, band: score.band }
    }
}

impl From<pb::Alert> for Alert {
    fn from(alert: pb::Alert) -> Self {
        Self { rule: alert.rule, urgent: alert.urgent }
    }
}
