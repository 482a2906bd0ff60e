use proto::data as pb;
use telemetry::postgres::Db;

use super::notification::attempts;
use super::parse;
use crate::error::DataError;
use crate::store;

/// Releases claims whose delivery was not attempted.
pub(crate) async fn release_notification(
    db: &Db,
    request: &pb::ReleaseNotificationRequest,
) -> Result<pb::ReleaseNotificationResponse, DataError> {
    let (ids, attempts) = attempts(&request.notification_id, request.attempt, &request.companions)?;
    let retry_after = parse::duration("retry_after", request.retry_after)?;
    store::notification::release(db, &ids, &attempts, retry_after).await?;
    Ok(pb::ReleaseNotificationResponse {})
}
