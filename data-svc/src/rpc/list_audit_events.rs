use proto::data as pb;
use service_kit::error::Reason;
use telemetry::postgres::Db;

use super::{page, parse};
use crate::error::DataError;
use crate::store;
use crate::store::audit_event::Recorded;

/// A page of the audit events of a report in all its revisions, for a nurse of its site.
pub(crate) async fn list_audit_events(
    db: &Db,
    request: &pb::ListAuditEventsRequest,
) -> Result<pb::ListAuditEventsResponse, DataError> {
    let report_id = parse::id("report_id", &request.report_id)?;
    let viewer = request.viewer.as_ref().ok_or(DataError::Malformed("viewer"))?;
    let site_ids = parse::ids("viewer.site_ids", &viewer.site_ids)?;
    let after = i64::try_from(request.after_seq.unwrap_or(0)).map_err(|_| DataError::Malformed("after_seq"))?;
    let limit = parse::limit(request.limit)?;
    let mut events = store::audit_event::list(db, report_id, &site_ids, after, limit + 1).await?;
    // Every report has at least the event of its creation, so a report without any event does not exist.
    if events.is_empty() && (after == 0 || store::audit_event::list(db, report_id, &site_ids, 0, 1).await?.is_empty()) {
        return Err(DataError::Refused(Reason::ReportNotFound));
    }
    let next_seq = page::cut(&mut events, limit, |event| event.seq.unsigned_abs());
    Ok(pb::ListAuditEventsResponse { events: events.into_iter().map(message).collect(), next_seq })
}

fn message(event: Recorded) -> pb::AuditEvent {
    pb::AuditEvent {
        seq: event.seq.unsigned_abs(),
        actor_id: event.actor_id.map(|id| id.to_string()),
        actor_role: event.actor_role,
        action: event.action,
        object_id: event.object_id.to_string(),
        before_hash: event.before_hash,
        after_hash: event.after_hash,
        context_hash: event.context_hash,
        changes: event.changes.map(|changes| changes.to_string()),
        reason: event.reason,
        trace_id: event.trace_id,
        recorded_at: Some(parse::timestamp(event.recorded_at)),
        prev_hash: event.prev_hash,
        hash: event.hash,
    }
}
