use proto::data as pb;
use telemetry::postgres::Db;

use super::parse;
use crate::error::DataError;
use crate::store;
use crate::store::audit_event::Recorded;

/// What was done to a report in all its revisions, for a nurse of its site.
pub(crate) async fn list_audit_events(
    db: &Db,
    request: &pb::ListAuditEventsRequest,
) -> Result<pb::ListAuditEventsResponse, DataError> {
    let report_id = parse::id("report_id", &request.report_id)?;
    let viewer = request.viewer.as_ref().ok_or(DataError::Malformed("viewer"))?;
    let site_ids = parse::ids("viewer.site_ids", &viewer.site_ids)?;
    let events = store::audit_event::list(db, report_id, &site_ids).await?;
    // A report that exists has the event that created it.
    if events.is_empty() {
        return Err(DataError::ReportNotFound);
    }
    Ok(pb::ListAuditEventsResponse { events: events.into_iter().map(message).collect() })
}

fn message(event: Recorded) -> pb::AuditEvent {
    pb::AuditEvent {
        seq: event.seq.unsigned_abs(),
        actor_id: event.actor_id.to_string(),
        action: event.action,
        object_id: event.object_id.to_string(),
        before_hash: event.before_hash.unwrap_or_default(),
        after_hash: event.after_hash,
        reason: event.reason.unwrap_or_default(),
        trace_id: event.trace_id.unwrap_or_default(),
        recorded_at: Some(parse::timestamp(event.recorded_at)),
        prev_hash: event.prev_hash,
        hash: event.hash,
    }
}
