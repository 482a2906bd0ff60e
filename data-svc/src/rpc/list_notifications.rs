use proto::data as pb;
use telemetry::postgres::Db;

use super::notification::channel;
use super::{page, parse};
use crate::error::DataError;
use crate::store;
use crate::store::notification::Untold;

/// A site's notifications that nobody got and that are not tried any more, for its nurses.
pub(crate) async fn list_notifications(
    db: &Db,
    request: &pb::ListNotificationsRequest,
) -> Result<pb::ListNotificationsResponse, DataError> {
    let site_id = parse::id("site_id", &request.site_id)?;
    let viewer = request.viewer.as_ref().ok_or(DataError::Malformed("viewer"))?;
    if !parse::ids("viewer.site_ids", &viewer.site_ids)?.contains(&site_id) {
        return Err(DataError::SiteNotFound);
    }
    let state = match request.state() {
        pb::NotificationState::Dead => "dead",
        pb::NotificationState::Cancelled => "cancelled",
        pb::NotificationState::Uncertain => "uncertain",
        pb::NotificationState::Unspecified => return Err(DataError::Malformed("state")),
    };
    let after = parse::cursor(request.after.as_ref())?;
    let limit = parse::limit(request.limit)?;
    let mut found = store::notification::list_untold(db, site_id, state, after, limit + 1).await?;
    let next = page::cut(&mut found, limit, place);
    Ok(pb::ListNotificationsResponse { notifications: found.iter().map(untold).collect::<Result<_, _>>()?, next })
}

fn place(untold: &Untold) -> pb::Cursor {
    pb::Cursor { time: Some(parse::timestamp(untold.created_at)), id: untold.notification_id.to_string() }
}

fn untold(untold: &Untold) -> Result<pb::UntoldNotification, DataError> {
    Ok(pb::UntoldNotification {
        notification_id: untold.notification_id.to_string(),
        report_id: untold.report_id.to_string(),
        recipient_id: untold.recipient_id.to_string(),
        channel: channel(&untold.channel)?.into(),
        urgent: untold.urgent,
        created_at: Some(parse::timestamp(untold.created_at)),
        attempts: untold.attempts.unsigned_abs(),
        last_outcome: untold.last_outcome.clone(),
        since: Some(parse::timestamp(untold.since)),
    })
}
