use chrono::{DateTime, Utc};
use proto::Captured;
use proto::data::{GetAssignmentRequest, SaveReportRequest, StoredSubmission};
use proto::domain::Role;
use proto::report::{SubmitReportRequest, SubmitReportResponse};
use service_kit::error::Reason;

use super::{care_team, fingerprint, principal_as, sha256, validate};
use crate::assessment::{assess, held_because};
use crate::assignment::Assignment;
use crate::capture::Capture;
use crate::clients::{Data, Notify};
use crate::error::ReportError;
use crate::filled_in::FilledIn;
use crate::rules;

/// Takes a patient's report: validates, assesses and stores it, and sends the hint. A repeated request with the same
/// key gets the answer of the first one, even if the rules would decide differently by now.
pub(crate) async fn submit_report(
    data: &Data,
    notify: &Notify,
    now: DateTime<Utc>,
    request: SubmitReportRequest,
) -> Result<SubmitReportResponse, ReportError> {
    let principal = principal_as(Role::Patient, request.principal)?;
    let captured = request.captured_at.parse::<Captured>().ok();
    let key_fingerprint = fingerprint(&request.raw_body)?;
    let mut response = data
        .get_assignment(GetAssignmentRequest {
            assignment_id: request.assignment_id.clone(),
            person_id: principal.person_id.clone(),
            idempotency_key: request.idempotency_key.clone(),
            key_fingerprint: key_fingerprint.clone(),
            body_sha256: Some(sha256(&request.raw_body)),
            captured_at: captured.map(Into::into),
        })
        .await?;
    if let Some(StoredSubmission { report_id, disposition, .. }) = response.stored.take() {
        return Ok(SubmitReportResponse { report_id, replayed: true, disposition });
    }

    let assignment = Assignment::try_from(response)?;
    let questionnaire = request.questionnaire.as_deref();
    let capture = Capture { assignment: &assignment, at: captured, now, attested: request.attested, questionnaire };
    let filled_in = FilledIn::new(&assignment.questionnaire, request.answers);
    validate(|| rules::broken_by_submission(&capture, &filled_in))?;
    let window = assignment.schedule.window();
    // Only this check knows what may still arrive after the end of a study. data-svc's transaction checks whether the
    // study has ended in the meantime.
    if captured.is_some_and(|captured| assignment.is_closed_to(captured.time(), now)) {
        return Err(ReportError::Refused(Reason::StudyClosed));
    }
    // data-svc's transaction decides this; the check here only avoids a statement that would fail.
    if window.is_some_and(|window| window.used) {
        return Err(ReportError::Refused(Reason::WindowUsed));
    }

    let saved = data
        .save_report(SaveReportRequest {
            recipients: care_team(&principal, &assignment.site_id),
            person_id: principal.person_id,
            window_id: window.map(|window| window.window_id.clone()),
            assessment: Some(assess(&filled_in, held_because(&assignment, now))),
            assignment_id: request.assignment_id,
            idempotency_key: request.idempotency_key,
            captured_at: captured.map(Into::into),
            answers: filled_in.into_answers(),
            raw_body: request.raw_body,
            key_fingerprint,
        })
        .await?;
    if !saved.replayed {
        notify.hint(saved.report_id.clone());
    }
    let (replayed, disposition) = (saved.replayed, saved.disposition);
    Ok(SubmitReportResponse { report_id: saved.report_id, replayed, disposition })
}
