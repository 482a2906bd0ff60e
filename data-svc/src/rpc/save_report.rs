use chrono::DateTime;
use proto::data as pb;
use telemetry::postgres::Db;

use super::parse;
use crate::error::DataError;
use crate::store;
use crate::store::idempotency::Claimed;
use crate::store::report::{Answers, NewReport};

/// Stores a report with everything that must be true whenever it is: the key that found it, the audit
/// event, and the notifications. All of it or nothing.
pub(crate) async fn save_report(db: &Db, request: pb::SaveReportRequest) -> Result<pb::SaveReportResponse, DataError> {
    let assignment_id = parse::id("assignment_id", &request.assignment_id)?;
    let person_id = parse::id("person_id", &request.person_id)?;
    let recipients = parse::ids("recipients", &request.recipients)?;
    let captured_at =
        DateTime::parse_from_rfc3339(&request.captured_at).map_err(|_| DataError::Malformed("captured_at"))?;

    let mut tx = db.begin().await?;
    let claim =
        store::idempotency::claim(&mut tx, assignment_id, person_id, &request.idempotency_key, &request.fingerprint);
    let Some(Claimed { enrolment_id, report_id }) = claim.await? else {
        let stored = store::assignment::find(&mut tx, assignment_id, person_id, &request.idempotency_key).await?;
        tx.rollback().await?;
        let stored = stored.and_then(|assignment| assignment.stored).ok_or(DataError::AssignmentNotFound)?;
        return if stored.fingerprint == request.fingerprint {
            Ok(pb::SaveReportResponse { report_id: stored.report_id.to_string(), replayed: true })
        } else {
            Err(DataError::KeyReused)
        };
    };
    let report = NewReport {
        report_id,
        assignment_id,
        enrolment_id,
        captured_at,
        answers: Answers::from(request.answers),
        raw_body: &request.raw_body,
        raw_sha256: &request.fingerprint,
    };
    store::report::insert(&mut tx, report).await?;
    store::audit_event::insert(&mut tx, enrolment_id, person_id, "report.create", report_id, &request.fingerprint)
        .await?;
    store::notification::enqueue(&mut tx, report_id, enrolment_id, &recipients).await?;
    tx.commit().await?;
    Ok(pb::SaveReportResponse { report_id: report_id.to_string(), replayed: false })
}
