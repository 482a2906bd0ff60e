use proto::data::{GetAssignmentRequest, GetReportResponse, SaveAmendmentRequest};
use proto::report::{AmendReportRequest, AmendReportResponse};
use proto::user::Role;

use super::{care_team, fingerprint, principal_as, validate};
use crate::assessment::assess;
use crate::assignment::Assignment;
use crate::clients::{Data, Notify};
use crate::error::ReportError;
use crate::filled_in::FilledIn;
use crate::rules;

/// Stores a new revision of a patient's own report. What the first one was held for holds for it, too:
/// other answers do not make it less late.
pub(crate) async fn amend_report(
    data: &Data,
    notify: &Notify,
    request: AmendReportRequest,
) -> Result<AmendReportResponse, ReportError> {
    let principal = principal_as(Role::Patient, request.principal)?;
    let original = data.get_report(&principal, request.report_id.clone()).await?;
    may_replace(&original, &request.expected_revisions)?;
    let held_because = original.assessment.ok_or(ReportError::Missing("assessment"))?.held_because;
    let assignment: Assignment = data
        .get_assignment(GetAssignmentRequest {
            assignment_id: original.assignment_id,
            person_id: principal.person_id.clone(),
            idempotency_key: String::new(),
            captured_at: None,
        })
        .await?
        .try_into()?;

    let filled_in = FilledIn::new(&assignment.questionnaire, &request.answers);
    validate(|| rules::broken_by_amendment(&filled_in, &request.reason))?;
    if assignment.study_closed {
        return Err(ReportError::StudyClosed);
    }
    let assessment = assess(&filled_in, held_because);
    let disposition = assessment.disposition;

    let saved = data
        .save_amendment(SaveAmendmentRequest {
            recipients: care_team(&principal, &assignment.site_id),
            person_id: principal.person_id,
            report_id: request.report_id,
            answers: request.answers,
            reason: request.reason,
            fingerprint: fingerprint(&request.raw_body),
            raw_body: request.raw_body,
            assessment: Some(assessment),
        })
        .await?;
    notify.hint(saved.report_id.clone());
    Ok(AmendReportResponse { report_id: saved.report_id, revision: saved.revision, disposition })
}

/// Nobody replaces a revision that they have not seen, or one that has been replaced before.
fn may_replace(original: &GetReportResponse, expected_revisions: &[u32]) -> Result<(), ReportError> {
    if !expected_revisions.is_empty() && !expected_revisions.contains(&original.current_revision) {
        return Err(ReportError::RevisionMismatch);
    }
    if original.superseded_by.is_empty() { Ok(()) } else { Err(ReportError::Superseded) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn revision(number: u32, current_revision: u32) -> GetReportResponse {
        let superseded_by = if number < current_revision { "a newer one".to_owned() } else { String::new() };
        GetReportResponse { revision: number, current_revision, superseded_by, ..GetReportResponse::default() }
    }

    #[test]
    fn the_current_revision_is_replaced_by_who_has_seen_it_or_does_not_care() {
        for expected in [&[2][..], &[1, 2], &[]] {
            assert!(may_replace(&revision(2, 2), expected).is_ok(), "{expected:?}");
        }
    }

    #[test]
    fn who_has_seen_another_revision_is_told_before_anything_else() {
        for original in [revision(2, 2), revision(1, 2)] {
            assert!(matches!(may_replace(&original, &[1, 3]), Err(ReportError::RevisionMismatch)));
        }
    }

    #[test]
    fn an_older_revision_is_not_replaced_again() {
        for expected in [&[2][..], &[]] {
            assert!(matches!(may_replace(&revision(1, 2), expected), Err(ReportError::Superseded)), "{expected:?}");
        }
    }
}
