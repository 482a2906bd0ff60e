use proto::data as pb;
use service_kit::error::Reason;
use telemetry::postgres::Db;

use super::parse;
use crate::error::DataError;
use crate::store;

/// Resends a notification that was given up or may not have arrived, for a nurse of its site. It is tried again for as
/// long as a new one.
pub(crate) async fn resend_notification(
    db: &Db,
    request: &pb::ResendNotificationRequest,
) -> Result<pb::ResendNotificationResponse, DataError> {
    let notification_id = parse::id("notification_id", &request.notification_id)?;
    let viewer = request.viewer.as_ref().ok_or(DataError::Malformed("viewer"))?;
    let nurse_id = parse::id("viewer.person_id", &viewer.person_id)?;
    let site_ids = parse::ids("viewer.site_ids", &viewer.site_ids)?;
    if store::notification::resend(db, notification_id, nurse_id, &site_ids).await? {
        return Ok(pb::ResendNotificationResponse {});
    }
    let exists = store::notification::exists(db, notification_id, &site_ids).await?;
    Err(if exists {
        DataError::Refused(Reason::NothingToResend)
    } else {
        DataError::Refused(Reason::NotificationNotFound)
    })
}
