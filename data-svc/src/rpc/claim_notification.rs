use proto::data as pb;
use telemetry::postgres::Db;

use super::notification::{channels, claimed, outside_quiet_hours, trace_context};
use super::parse;
use crate::error::DataError;
use crate::store;

/// Leases those notifications of one report that are due.
pub(crate) async fn claim_notification(
    db: &Db,
    request: &pb::ClaimNotificationRequest,
) -> Result<pb::ClaimNotificationResponse, DataError> {
    let report_id = parse::id("report_id", &request.report_id)?;
    let lease = parse::duration("lease", request.lease)?;
    let channels = channels(request.channels())?;
    let claims = store::notification::claim(db, report_id, &channels, lease).await?;
    let claims = outside_quiet_hours(db, claims).await?;
    let notifications = claims.iter().map(|claim| claimed(claim, &[])).collect();
    Ok(pb::ClaimNotificationResponse { notifications, trace_context: claims.first().map(trace_context) })
}
