use proto::data as pb;
use service_kit::error::Reason;
use telemetry::postgres::{Db, Tx};
use uuid::Uuid;

use super::assessment::assess;
use super::{parse, replay};
use crate::error::DataError;
use crate::store;
use crate::store::audit_event::{Action, Event};
use crate::store::idempotency::Claimed;
use crate::store::report::Answers;
use crate::{outbox, unnotified};

/// Stores a new revision of a patient's own report with its idempotency key, alerts, audit event and notifications, in
/// one transaction.
pub(crate) async fn save_amendment(
    db: &Db,
    request: pb::SaveAmendmentRequest,
) -> Result<pb::SaveAmendmentResponse, DataError> {
    let supersedes = parse::id("report_id", &request.report_id)?;
    let person_id = parse::id("person_id", &request.person_id)?;
    let recipients = parse::ids("recipients", &request.recipients)?;
    let assessment = request.assessment.ok_or(DataError::Malformed("assessment"))?;
    let assessed = assess(&assessment, Answers::from(request.answers), &request.raw_body)?;

    let mut tx = db.begin().await?;
    let (key, key_fingerprint) = (&request.idempotency_key, &request.key_fingerprint);
    // Lock order: first the key, then the audit chain, as in every transaction, so that no two can deadlock.
    let claim =
        store::idempotency::claim_amendment(&mut tx, supersedes, person_id, key, key_fingerprint, assessed.urgent);
    let Some(Claimed { enrolment_id, report_id }) = claim.await.map_err(replay::claim_failed)? else {
        return replayed(tx, supersedes, person_id, key, key_fingerprint).await;
    };
    store::audit_chain::hold(&mut tx, supersedes).await?;
    let target = store::report::find_target(&mut tx, supersedes, Some(person_id), &[]).await?;
    let target = target.ok_or(DataError::Refused(Reason::ReportNotFound))?;
    if target.superseded {
        return Err(DataError::Refused(Reason::ReportSuperseded));
    }
    if !request.expected_states.is_empty() && !request.expected_states.contains(&target.state_number.unsigned_abs()) {
        return Err(DataError::Refused(Reason::RevisionMismatch));
    }
    if target.study_closed {
        return Err(DataError::Refused(Reason::StudyClosed));
    }
    let amended = store::report::amend(&mut tx, report_id, supersedes, &request.reason, assessed.contents).await;
    let revision = amended.map_err(|error| {
        // Another amendment was faster.
        let lost = [store::report::ONE_SUCCESSOR, store::report::ONE_PER_WINDOW];
        if lost.iter().any(|name| store::breaks(&error, name)) {
            DataError::Refused(Reason::ReportSuperseded)
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
        action: Action::Amend,
        object_id: report_id,
        replaces: Some(supersedes),
        reason: Some(&request.reason),
    };
    store::audit_event::insert(&mut tx, event).await?;
    tx.commit().await?;
    unnotified::announce(&unnotified);
    Ok(pb::SaveAmendmentResponse {
        report_id: report_id.to_string(),
        revision: revision.unsigned_abs(),
        replayed: false,
        disposition: assessment.disposition,
    })
}

/// The answer to a request whose key could not be claimed.
async fn replayed(
    mut tx: Tx<'_>,
    supersedes: Uuid,
    person_id: Uuid,
    key: &str,
    fingerprint: &[u8],
) -> Result<pb::SaveAmendmentResponse, DataError> {
    let target = store::report::find_target(&mut tx, supersedes, Some(person_id), &[]).await?;
    let target = target.ok_or(DataError::Refused(Reason::ReportNotFound))?;
    let stored = store::idempotency::find(&mut tx, supersedes, key).await?;
    tx.rollback().await?;
    if stored.is_none() {
        // The key is free, so the claim was refused for another reason.
        let reason = if target.study_closed { Reason::StudyClosed } else { Reason::TooManyReports };
        return Err(DataError::Refused(reason));
    }
    let stored = replay::same(stored, &[fingerprint])?;
    Ok(pb::SaveAmendmentResponse {
        report_id: stored.report_id.to_string(),
        revision: stored.revision.unsigned_abs(),
        replayed: true,
        disposition: stored.disposition.into(),
    })
}
