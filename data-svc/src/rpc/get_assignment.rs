use proto::data as pb;
use telemetry::postgres::Db;

use super::parse;
use crate::error::DataError;
use crate::store;

/// What a patient was asked to fill in, and what the key stored before.
pub(crate) async fn get_assignment(
    db: &Db,
    request: &pb::GetAssignmentRequest,
) -> Result<pb::GetAssignmentResponse, DataError> {
    let assignment_id = parse::id("assignment_id", &request.assignment_id)?;
    let person_id = parse::id("person_id", &request.person_id)?;
    let assignment = store::assignment::find(db, assignment_id, person_id, &request.idempotency_key)
        .await?
        .ok_or(DataError::AssignmentNotFound)?;
    let stored = assignment.stored.map(|stored| pb::StoredSubmission {
        report_id: stored.report_id.to_string(),
        fingerprint: stored.fingerprint,
    });
    Ok(pb::GetAssignmentResponse {
        site_id: assignment.site_id.to_string(),
        definition: assignment.definition.to_string(),
        enrolled_at: Some(parse::timestamp(assignment.enrolled_at)),
        stored,
    })
}
