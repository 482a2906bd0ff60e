use proto::data as pb;
use proto::report::ReviewOutcome;
use telemetry::postgres::Db;

use super::parse;
use crate::error::DataError;
use crate::store;
use crate::store::audit_event::{Action, Event};

/// Stores a nurse's verdict on a report of her sites, and its audit event. Both or nothing.
///
/// A revision that was replaced waits for no verdict any more, unless it has set off an urgent alert: that one stays
/// until somebody says that they have seen it.
pub(crate) async fn save_review(db: &Db, request: &pb::SaveReviewRequest) -> Result<pb::SaveReviewResponse, DataError> {
    let report_id = parse::id("report_id", &request.report_id)?;
    let viewer = request.viewer.as_ref().ok_or(DataError::Malformed("viewer"))?;
    let reviewer_id = parse::id("viewer.person_id", &viewer.person_id)?;
    let site_ids = parse::ids("viewer.site_ids", &viewer.site_ids)?;
    let outcome = outcome(request.outcome())?;

    let mut tx = db.begin().await?;
    store::audit_chain::hold(&mut tx, report_id).await?;
    let target = store::report::find_target(&mut tx, report_id, None, &site_ids).await?;
    let target = target.ok_or(DataError::ReportNotFound)?;
    if target.superseded && !target.urgent {
        return Err(DataError::ReportSuperseded);
    }
    let review_id = store::review::insert(&mut tx, report_id, reviewer_id, outcome).await.map_err(|error| {
        if store::breaks(&error, store::review::ONE_PER_REPORT) { DataError::AlreadyReviewed } else { error.into() }
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

fn outcome(outcome: ReviewOutcome) -> Result<&'static str, DataError> {
    match outcome {
        ReviewOutcome::Approved => Ok("approved"),
        ReviewOutcome::HasIssues => Ok("has_issues"),
        ReviewOutcome::Rejected => Ok("rejected"),
        ReviewOutcome::Unspecified => Err(DataError::Malformed("outcome")),
    }
}
