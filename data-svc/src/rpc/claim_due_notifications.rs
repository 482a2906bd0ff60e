use std::cmp::Reverse;

use proto::data as pb;
use telemetry::postgres::Db;
use uuid::Uuid;

use super::notification::{Together, channels, claimed, outside_quiet_hours, together, trace_context};
use super::parse;
use crate::error::DataError;
use crate::store;

/// Notifications that one caller can lease at once.
const LIMIT: usize = 1000;

/// Leases what is due although no worker holds it, by report, urgent news first.
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
        // What quiet hours hold back leaves its room to others.
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

/// The report in whose name they are told.
fn report(together: &Together) -> Option<Uuid> {
    together.first().map(|claim| claim.report_id)
}

/// Of what is told in a report's name, all of which shares its trace and its age.
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
