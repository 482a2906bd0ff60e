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

/// Takes a patient's report: the first one under its key is checked, assessed, stored and told; the same
/// one again gets the first one's answer, whatever the rules would say by now.
pub(crate) async fn submit_report(
    data: &Data,
    notify: &Notify,
    now: DateTime<Utc>,
    request: SubmitReportRequest,
) -> Result<SubmitReportResponse, ReportError> {
    let principal = principal_as(Role::Patient, request.principal)?;
    let captured = request.captured_at.parse::<Captured>().ok();
    let mut response = data
        .get_assignment(GetAssignmentRequest {
            assignment_id: request.assignment_id.clone(),
            person_id: principal.person_id.clone(),
            idempotency_key: request.idempotency_key.clone(),
            captured_at: captured.map(Into::into),
        })
        .await?;
    let (key_fingerprint, fingerprint) = (fingerprint(&request.raw_body)?, sha256(&request.raw_body));
    if let Some(stored) = response.stored.take() {
        return replay(stored, &[&key_fingerprint, &fingerprint]);
    }

    let assignment = Assignment::try_from(response)?;
    let questionnaire = request.questionnaire.as_deref();
    let capture = Capture { assignment: &assignment, at: captured, now, attested: request.attested, questionnaire };
    let filled_in = FilledIn::new(&assignment.questionnaire, request.answers);
    validate(|| rules::broken_by_submission(&capture, &filled_in))?;
    let window = assignment.schedule.window();
    if captured.is_some_and(|captured| assignment.is_closed_to(captured.time(), now)) {
        return Err(ReportError::Refused(Reason::StudyClosed));
    }
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
            fingerprint,
            key_fingerprint,
        })
        .await?;
    if !saved.replayed {
        notify.hint(saved.report_id.clone());
    }
    let (replayed, disposition) = (saved.replayed, saved.disposition);
    Ok(SubmitReportResponse { report_id: saved.report_id, replayed, disposition })
}

/// What the key's first submission was told. One of the fingerprints is what keys were stored with before there was a
/// canonical form.
fn replay(stored: StoredSubmission, fingerprints: &[&[u8]]) -> Result<SubmitReportResponse, ReportError> {
    if fingerprints.contains(&stored.fingerprint.as_slice()) {
        let disposition = stored.disposition;
        Ok(SubmitReportResponse { report_id: stored.report_id, replayed: true, disposition })
    } else {
        Err(ReportError::Refused(Reason::IdempotencyKeyReused))
    }
}
