use proto::data as pb;
use telemetry::postgres::Db;

use super::parse;
use crate::error::DataError;
use crate::store;

/// Leases what is due of one report's notifications to the caller.
pub(crate) async fn claim_notification(
    db: &Db,
    request: &pb::ClaimNotificationRequest,
) -> Result<pb::ClaimNotificationResponse, DataError> {
    let report_id = parse::id("report_id", &request.report_id)?;
    let lease = parse::duration("lease", request.lease)?;
    let notifications = store::notification::claim(db, report_id, lease)
        .await?
        .into_iter()
        .map(|claimed| {
            Ok(pb::Notification {
                notification_id: claimed.notification_id.to_string(),
                site_id: claimed.site_id.to_string(),
                recipient_id: claimed.recipient_id.to_string(),
                channel: channel(&claimed.channel)?.into(),
                attempt: claimed.attempts.unsigned_abs(),
            })
        })
        .collect::<Result<_, DataError>>()?;
    Ok(pb::ClaimNotificationResponse { notifications })
}

fn channel(name: &str) -> Result<pb::Channel, DataError> {
    match name {
        "sms" => Ok(pb::Channel::Sms),
        "email" => Ok(pb::Channel::Email),
        _ => Err(DataError::Malformed("channel")),
    }
}
