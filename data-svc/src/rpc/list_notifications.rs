use proto::data as pb;
use proto::domain::Cursor;
use service_kit::error::Reason;
use telemetry::postgres::Db;

use super::{page, parse};
use crate::error::DataError;
use crate::store;
use crate::store::notification::Undelivered;

/// A page of a site's notifications that were not delivered, or may not have been, for its nurses.
pub(crate) async fn list_notifications(
    db: &Db,
    request: &pb::ListNotificationsRequest,
) -> Result<pb::ListNotificationsResponse, DataError> {
    let site_id = parse::id("site_id", &request.site_id)?;
    let viewer = request.viewer.as_ref().ok_or(DataError::Malformed("viewer"))?;
    if !parse::ids("viewer.site_ids", &viewer.site_ids)?.contains(&site_id) {
        return Err(DataError::Refused(Reason::SiteNotFound));
    }
    let state = request.state().try_into()?;
    let after = parse::cursor(request.after.as_ref())?;
    let limit = parse::limit(request.limit)?;
    let mut found = store::notification::list_undelivered(db, site_id, state, after, limit + 1).await?;
    let next = page::cut(&mut found, limit, cursor);
    Ok(pb::ListNotificationsResponse { notifications: found.iter().map(undelivered).collect(), next })
}

fn cursor(undelivered: &Undelivered) -> Cursor {
    Cursor { time: Some(parse::timestamp(undelivered.created_at)), id: undelivered.notification_id.to_string() }
}

fn undelivered(undelivered: &Undelivered) -> pb::UndeliveredNotification {
    pb::UndeliveredNotification {
        notification_id: undelivered.notification_id.to_string(),
        report_id: undelivered.report_id.to_string(),
        recipient_id: undelivered.recipient_id.to_string(),
        channel: undelivered.channel.into(),
        urgent: undelivered.urgent,
        created_at: Some(parse::timestamp(undelivered.created_at)),
        attempts: undelivered.attempts.unsigned_abs(),
        last_outcome: undelivered.last_outcome.clone(),
        since: Some(parse::timestamp(undelivered.since)),
    }
}
