use proto::data as pb;
use service_kit::error::Reason;
use telemetry::postgres::Db;

use super::{parse, replay, window};
use crate::error::DataError;
use crate::store;

/// A patient's assignment, the window that contains the time of capture, and what the idempotency key has stored
/// before.
pub(crate) async fn get_assignment(
    db: &Db,
    request: &pb::GetAssignmentRequest,
) -> Result<pb::GetAssignmentResponse, DataError> {
    let assignment_id = parse::id("assignment_id", &request.assignment_id)?;
    let person_id = parse::id("person_id", &request.person_id)?;
    let captured_at = request.captured_at.map(|time| parse::captured("captured_at", time)).transpose()?;
    let assignment = store::assignment::find(db, assignment_id, person_id, &request.idempotency_key, captured_at)
        .await?
        .ok_or(DataError::Refused(Reason::AssignmentNotFound))?;
    // The windows are not made yet, so the window of the time of capture is unknown. What the key has stored does not
    // depend on it.
    if captured_at.is_some() && assignment.windows_pending && assignment.stored.is_none() {
        return Err(DataError::Refused(Reason::WindowsPending));
    }
    let fingerprints = [Some(&request.key_fingerprint), request.body_sha256.as_ref()];
    let fingerprints: Vec<_> = fingerprints.into_iter().flatten().map(Vec::as_slice).collect();
    let stored = assignment.stored.map(|stored| replay::same(Some(stored), &fingerprints)).transpose()?;
    Ok(pb::GetAssignmentResponse {
        site_id: assignment.site_id.to_string(),
        definition: assignment.definition,
        questionnaire: format!("{}|{}", assignment.url, assignment.version),
        enrolled_at: Some(parse::timestamp(assignment.enrolled_at)),
        stored: stored.map(|stored| pb::StoredSubmission {
            report_id: stored.report_id.to_string(),
            disposition: stored.disposition.into(),
            revision: stored.revision.unsigned_abs(),
        }),
        schedule: assignment.schedule.into(),
        window: assignment.window.as_ref().map(window::message),
        retired_at: assignment.retired_at.map(parse::timestamp),
        closing: assignment.closing.map(|(closed_at, sync_until)| pb::Closing {
            closed_at: Some(parse::timestamp(closed_at)),
            sync_until: Some(parse::timestamp(sync_until)),
        }),
    })
}
