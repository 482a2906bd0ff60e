use std::cmp::Reverse;

use proto::data as pb;
use telemetry::postgres::Db;
use uuid::Uuid;

use super::notification::{Together, channels, claimed, outside_quiet_hours, together, trace_context};
use super::parse;
use crate::error::DataError;
use crate::store;

/// Most notifications that one call can lease.
const LIMIT: usize = 1000;

/// Leases notifications that are due and that no worker holds. They are grouped by report, urgent ones first.
pub(crate) async fn claim_due_notifications(
    db: &Db,
    request: &pb::ClaimDueNotificationsRequest,
) -> Result<pb::ClaimDueNotificationsResponse, DataError> {
    let overdue = parse::duration("overdue", request.overdue)?;
    let lease = parse::duration("lease", request.lease)?;
    let limit = usize::try_from(request.limit).map_or(LIMIT, |limit| limit.min(LIMIT));
    let channels = channels(request.channels())?;
    let mut claims = Vec::new();
    while claims.len() < limit {
        let room = limit - claims.len();
        let due = store::notification::claim_due(db, overdue, room.try_into().unwrap_or(i64::MAX), &channels, lease);
        let due = due.await?;
        let was_last = due.len() < room;
        // Claims that quiet hours hold back do not count towards the limit.
        claims.extend(outside_quiet_hours(db, due).await?);
        if was_last {
            break;
        }
    }
    claims.sort_by_key(|claim| (Reverse(claim.urgent), Reverse(claim.age), claim.report_id));
    let told = together(claims);
    let reports = told.chunk_by(|a, b| report(a) == report(b)).map(due_report).collect::<Result<_, _>>()?;
    Ok(pb::ClaimDueNotificationsResponse { reports })
}

/// The report that a message is listed under: that of its first claim.
fn report(together: &Together) -> Option<Uuid> {
    together.first().map(|claim| claim.report_id)
}

/// The messages of one report. Trace context and age are those of the first claim.
fn due_report(told: &[Together]) -> Result<pb::DueReport, DataError> {
    let first = told.first().and_then(|together| together.first()).ok_or(DataError::Malformed("claims"))?;
    let notifications = told.iter().filter_map(|together| together.split_first());
    Ok(pb::DueReport {
        report_id: first.report_id.to_string(),
        trace_context: Some(trace_context(first)),
        age: Some(parse::micros(first.age)),
        notifications: notifications.map(|(first, others)| claimed(first, others)).collect(),
    })
}
