use proto::data::{GetAssignmentRequest, GetReportResponse, SaveAmendmentRequest, StoredSubmission};
use proto::domain::Role;
use proto::report::{AmendReportRequest, AmendReportResponse};
use service_kit::error::Reason;

use super::{care_team, change_fingerprint, fingerprint, principal_as, validate};
use crate::assessment::assess;
use crate::assignment::Assignment;
use crate::clients::{Data, Notify};
use crate::error::ReportError;
use crate::filled_in::FilledIn;
use crate::rules;

/// Stores a new revision of a patient's own report. A repeated request gets the answer of the first one. The reasons to
/// hold the first revision also hold this one: other answers do not make a report less late.
pub(crate) async fn amend_report(
    data: &Data,
    notify: &Notify,
    max_revisions: u32,
    request: AmendReportRequest,
) -> Result<AmendReportResponse, ReportError> {
    let principal = principal_as(Role::Patient, request.principal)?;
    let original = data.get_report(&principal, request.report_id.clone()).await?;
    let content = fingerprint(&request.raw_body)?;
    let key_fingerprint = change_fingerprint("amend", &request.report_id, &principal, &content);
    let mut response = data
        .get_assignment(GetAssignmentRequest {
            assignment_id: original.assignment_id.clone(),
            person_id: principal.person_id.clone(),
            idempotency_key: request.idempotency_key.clone(),
            key_fingerprint: key_fingerprint.clone(),
            body_sha256: None,
            captured_at: None,
        })
        .await?;
    // The stored answer comes first, whatever has happened to the report since: a retry must get the answer of its
    // first try.
    if let Some(StoredSubmission { report_id, revision, disposition }) = response.stored.take() {
        return Ok(AmendReportResponse { report_id, revision, disposition });
    }
    // Preconditions come before the rules, so that a stale request is not told about its answers first.
    may_replace(&original, &request.expected_states)?;
    if original.current_revision >= max_revisions {
        return Err(ReportError::Refused(Reason::RevisionLimit));
    }

    let held_because = original.assessment.ok_or(ReportError::Missing("assessment"))?.held_because;
    let assignment = Assignment::try_from(response)?;
    let filled_in = FilledIn::new(&assignment.questionnaire, request.answers);
    validate(|| rules::broken_by_amendment(&filled_in, &request.reason))?;

    let saved = data
        .save_amendment(SaveAmendmentRequest {
            recipients: care_team(&principal, &assignment.site_id),
            person_id: principal.person_id,
            report_id: request.report_id,
            assessment: Some(assess(&filled_in, held_because)),
            answers: filled_in.into_answers(),
            reason: request.reason,
            raw_body: request.raw_body,
            expected_states: request.expected_states,
            idempotency_key: request.idempotency_key,
            key_fingerprint,
        })
        .await?;
    if !saved.replayed {
        notify.hint(saved.report_id.clone());
    }
    let (revision, disposition) = (saved.revision, saved.disposition);
    Ok(AmendReportResponse { report_id: saved.report_id, revision, disposition })
}

/// Refuses to replace a revision whose state, reviews included, the sender has not seen, or one that is superseded
/// already.
fn may_replace(original: &GetReportResponse, expected_states: &[u32]) -> Result<(), ReportError> {
    if !expected_states.is_empty() && !expected_states.contains(&original.state_number) {
        return Err(ReportError::Refused(Reason::RevisionMismatch));
    }
    if original.superseded_by.is_none() { Ok(()) } else { Err(ReportError::Refused(Reason::ReportSuperseded)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A revision of a report with two of them and one review.
    fn revision(number: u32) -> GetReportResponse {
        let superseded_by = (number < 2).then(|| "a newer one".to_owned());
        let (current_revision, state_number) = (2, 3);
        GetReportResponse { revision: number, current_revision, state_number, superseded_by, ..Default::default() }
    }

    #[test]
    fn the_current_revision_is_replaced_by_who_has_seen_its_state_or_does_not_care() {
        for expected in [&[3][..], &[1, 3], &[]] {
            assert!(may_replace(&revision(2), expected).is_ok(), "{expected:?}");
        }
    }

    #[test]
    fn who_has_seen_another_state_is_told_before_anything_else() {
        for original in [revision(2), revision(1)] {
            assert!(matches!(may_replace(&original, &[1, 2, 4]), Err(ReportError::Refused(Reason::RevisionMismatch))));
        }
    }

    #[test]
    fn an_older_revision_is_not_replaced_again() {
        for expected in [&[3][..], &[]] {
            assert!(
                matches!(may_replace(&revision(1), expected), Err(ReportError::Refused(Reason::ReportSuperseded))),
                "{expected:?}"
            );
        }
    }
}
