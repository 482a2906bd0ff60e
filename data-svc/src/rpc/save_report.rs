use proto::data as pb;
use service_kit::error::Reason;
use telemetry::postgres::{Db, Tx};
use uuid::Uuid;

use super::assessment::{STUDY_CLOSED, assess};
use super::{parse, replay};
use crate::error::DataError;
use crate::store;
use crate::store::audit_event::{Action, Event};
use crate::store::idempotency::Claimed;
use crate::store::report::{Answers, NewReport};
use crate::{outbox, unnotified};

/// Stores a report with its idempotency key, alerts, notifications and audit event, in one transaction.
pub(crate) async fn save_report(db: &Db, request: pb::SaveReportRequest) -> Result<pb::SaveReportResponse, DataError> {
    let assignment_id = parse::id("assignment_id", &request.assignment_id)?;
    let person_id = parse::id("person_id", &request.person_id)?;
    let window_id = parse::optional_id("window_id", request.window_id.as_deref())?;
    let recipients = parse::ids("recipients", &request.recipients)?;
    let captured_at = request.captured_at.ok_or(DataError::Malformed("captured_at"))?;
    let captured_at = parse::captured("captured_at", captured_at)?;
    let assessment = request.assessment.ok_or(DataError::Malformed("assessment"))?;
    let assessed = assess(&assessment, Answers::from(request.answers), &request.raw_body)?;

    let mut tx = db.begin().await?;
    let key = &request.idempotency_key;
    let before_closing = assessment.held_because.iter().any(|reason| reason == STUDY_CLOSED);
    let fingerprint = &request.key_fingerprint;
    let urgent = assessed.urgent;
    let claim =
        store::idempotency::claim(&mut tx, assignment_id, person_id, key, fingerprint, before_closing, urgent).await;
    let Some(Claimed { enrolment_id, report_id }) = claim.map_err(replay::claim_failed)? else {
        let asked = Asked { assignment_id, person_id, key, before_closing, urgent };
        return replayed(tx, asked, fingerprint).await;
    };
    let contents = assessed.contents;
    let report = NewReport { report_id, assignment_id, enrolment_id, window_id, captured_at, contents };
    store::report::insert(&mut tx, report).await.map_err(|error| {
        if store::breaks(&error, store::report::ONE_PER_WINDOW) {
            DataError::Refused(Reason::WindowUsed)
        } else {
            error.into()
        }
    })?;
    if !assessed.alerts.is_empty() {
        store::alert::insert(&mut tx, report_id, &assessed.alerts).await?;
    }
    outbox::enqueue(&mut tx, report_id, enrolment_id, &recipients, assessed.urgent).await?;
    let unnotified = unnotified::record_if(recipients.is_empty(), &mut tx, report_id).await?;
    let event = Event {
        enrolment_id,
        actor_id: person_id,
        action: Action::Create,
        object_id: report_id,
        replaces: None,
        reason: None,
    };
    // The last statement, because it locks the enrolment's chain until the commit.
    store::audit_event::insert(&mut tx, event).await?;
    tx.commit().await?;
    unnotified::announce(&unnotified);
    Ok(pb::SaveReportResponse {
        report_id: report_id.to_string(),
        replayed: false,
        disposition: assessment.disposition,
    })
}

/// What a key should be claimed for.
struct Asked<'r> {
    assignment_id: Uuid,
    person_id: Uuid,
    key: &'r str,
    before_closing: bool,
    urgent: bool,
}

/// The answer to a request whose key could not be claimed.
async fn replayed(mut tx: Tx<'_>, asked: Asked<'_>, fingerprint: &[u8]) -> Result<pb::SaveReportResponse, DataError> {
    let Asked { assignment_id, person_id, key, before_closing, urgent } = asked;
    let refusal = store::idempotency::explain(&mut tx, assignment_id, person_id, key, urgent).await?;
    tx.rollback().await?;
    let refusal = refusal.ok_or(DataError::Refused(Reason::AssignmentNotFound))?;
    if refusal.study_closed && !before_closing && refusal.stored.is_none() {
        // It was open when the report was assessed. A retry assesses the report again.
        return Err(DataError::StudyClosing);
    }
    if refusal.too_many && refusal.stored.is_none() {
        return Err(DataError::Refused(Reason::TooManyReports));
    }
    let stored = replay::same(refusal.stored, &[fingerprint])?;
    Ok(pb::SaveReportResponse {
        report_id: stored.report_id.to_string(),
        replayed: true,
        disposition: stored.disposition.into(),
    })
}
