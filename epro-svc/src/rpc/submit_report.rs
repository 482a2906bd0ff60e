use chrono::{DateTime, Utc};
use proto::data::{GetAssignmentRequest, GetAssignmentResponse, SaveReportRequest};
use proto::report::{SubmitReportRequest, SubmitReportResponse};
use proto::user::{Principal, Role};
use sha2::{Digest, Sha256};

use crate::clients::{Data, Notify};
use crate::error::ReportError;
use crate::rules::{self, Questionnaire, Submission};

/// Takes a patient's report: the first one under its key is checked, stored and told; the same one
/// again gets the first one's answer, whatever the rules would say by now.
pub(crate) async fn submit_report(
    data: &Data,
    notify: &Notify,
    now: DateTime<Utc>,
    request: SubmitReportRequest,
) -> Result<SubmitReportResponse, ReportError> {
    let principal = request.principal.as_ref().ok_or(ReportError::Missing("principal"))?;
    if principal.role() != Role::Patient {
        return Err(ReportError::NotAPatient);
    }
    let assignment = data
        .get_assignment(GetAssignmentRequest {
            assignment_id: request.assignment_id.clone(),
            person_id: principal.person_id.clone(),
            idempotency_key: request.idempotency_key.clone(),
        })
        .await?;
    let fingerprint = Sha256::digest(&request.raw_body).to_vec();
    if let Some(stored) = assignment.stored {
        return if stored.fingerprint == fingerprint {
            Ok(SubmitReportResponse { report_id: stored.report_id, replayed: true })
        } else {
            Err(ReportError::KeyReused)
        };
    }
    check(&request, &assignment, now)?;

    let saved = data
        .save_report(SaveReportRequest {
            recipients: care_team(principal, &assignment.site_id),
            person_id: principal.person_id.clone(),
            assignment_id: request.assignment_id,
            idempotency_key: request.idempotency_key,
            captured_at: request.captured_at,
            answers: request.answers,
            raw_body: request.raw_body,
            fingerprint,
        })
        .await?;
    if !saved.replayed {
        notify.hint(saved.report_id.clone());
    }
    Ok(SubmitReportResponse { report_id: saved.report_id, replayed: saved.replayed })
}

/// All rules the report breaks, at once.
fn check(
    request: &SubmitReportRequest,
    assignment: &GetAssignmentResponse,
    now: DateTime<Utc>,
) -> Result<(), ReportError> {
    let questionnaire: Questionnaire =
        serde_json::from_str(&assignment.definition).map_err(ReportError::Questionnaire)?;
    let enrolled_at = assignment.enrolled_at.ok_or(ReportError::Missing("enrolled_at"))?;
    let submission = Submission {
        questionnaire: &questionnaire,
        enrolled_at: DateTime::from_timestamp(enrolled_at.seconds, 0).ok_or(ReportError::Missing("enrolled_at"))?,
        now,
        captured_at: &request.captured_at,
        attested: request.attested,
        answers: &request.answers,
    };
    let broken = telemetry::checked("validate report", || rules::broken_by(&submission));
    if broken.is_empty() { Ok(()) } else { Err(ReportError::Invalid(broken.into_iter().map(Into::into).collect())) }
}

/// The nurses to tell: those of the site where the patient takes part.
fn care_team(principal: &Principal, site_id: &str) -> Vec<String> {
    principal
        .sites
        .iter()
        .filter(|site| site.site_id == site_id)
        .flat_map(|site| site.care_team.iter().cloned())
        .collect()
}
