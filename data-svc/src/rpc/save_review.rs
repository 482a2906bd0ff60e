use proto::data as pb;
use service_kit::error::Reason;
use telemetry::postgres::{Db, Tx};
use uuid::Uuid;

use super::{parse, replay};
use crate::error::DataError;
use crate::store;
use crate::store::audit_event::{Action, Event};

/// Stores a nurse's verdict on a report of her sites with its idempotency key and its audit event, in one transaction.
///
/// A superseded revision does not need a review any more, unless it has raised an urgent alert: the alert stays open
/// until a nurse has reviewed the revision.
pub(crate) async fn save_review(db: &Db, request: &pb::SaveReviewRequest) -> Result<pb::SaveReviewResponse, DataError> {
    let report_id = parse::id("report_id", &request.report_id)?;
    let viewer = request.viewer.as_ref().ok_or(DataError::Malformed("viewer"))?;
    let reviewer_id = parse::id("viewer.person_id", &viewer.person_id)?;
    let site_ids = parse::ids("viewer.site_ids", &viewer.site_ids)?;
    let outcome = request.outcome().try_into()?;

    let mut tx = db.begin().await?;
    let (key, fingerprint) = (&request.idempotency_key, &request.key_fingerprint);
    // Lock order: first the key, then the audit chain, as in every transaction, so that no two can deadlock.
    let claim = store::idempotency::claim_review(&mut tx, report_id, &site_ids, key, fingerprint).await;
    let Some(review_id) = claim.map_err(replay::claim_failed)? else {
        return replayed(tx, report_id, &site_ids, key, fingerprint).await;
    };
    store::audit_chain::hold(&mut tx, report_id).await?;
    let target = store::report::find_target(&mut tx, report_id, None, &site_ids).await?;
    let target = target.ok_or(DataError::Refused(Reason::ReportNotFound))?;
    if target.superseded && !target.urgent {
        return Err(DataError::Refused(Reason::ReportSuperseded));
    }
    store::review::insert(&mut tx, review_id, report_id, reviewer_id, outcome).await.map_err(|error| {
        if store::breaks(&error, store::review::ONE_PER_REPORT) {
            DataError::Refused(Reason::AlreadyReviewed)
        } else {
            error.into()
        }
    })?;
    let event = Event {
        enrolment_id: target.enrolment_id,
        actor_id: reviewer_id,
        action: Action::Review,
        object_id: review_id,
        replaces: None,
        reason: None,
    };
    store::audit_event::insert(&mut tx, event).await?;
    tx.commit().await?;
    Ok(pb::SaveReviewResponse { review_id: review_id.to_string() })
}

/// The answer to a request whose key could not be claimed.
async fn replayed(
    mut tx: Tx<'_>,
    report_id: Uuid,
    site_ids: &[Uuid],
    key: &str,
    fingerprint: &[u8],
) -> Result<pb::SaveReviewResponse, DataError> {
    let target = store::report::find_target(&mut tx, report_id, None, site_ids).await?;
    target.ok_or(DataError::Refused(Reason::ReportNotFound))?;
    let stored = store::idempotency::find(&mut tx, report_id, key).await?;
    tx.rollback().await?;
    let review_id = replay::same(stored, &[fingerprint])?.review_id.ok_or(DataError::Malformed("idempotency_key"))?;
    Ok(pb::SaveReviewResponse { review_id: review_id.to_string() })
}
