use std::time::Duration;

use proto::data as pb;
use telemetry::postgres::Db;

use super::parse;
use crate::error::DataError;
use crate::store;
use crate::store::notification::Verdict;

/// Stores one delivery attempt and moves its notification on.
pub(crate) async fn record_delivery(
    db: &Db,
    request: &pb::RecordDeliveryRequest,
) -> Result<pb::RecordDeliveryResponse, DataError> {
    let notification_id = parse::id("notification_id", &request.notification_id)?;
    let attempt = i32::try_from(request.attempt).map_err(|_| DataError::Malformed("attempt"))?;
    let verdict = verdict(request)?;
    store::notification::record(db, notification_id, attempt, verdict).await?;
    Ok(pb::RecordDeliveryResponse {})
}

/// What an attempt's outcome means for its notification.
fn verdict(request: &pb::RecordDeliveryRequest) -> Result<Verdict, DataError> {
    let verdict = |outcome, state| Verdict { outcome, state, retry_after: Duration::ZERO };
    Ok(match request.outcome() {
        pb::Outcome::Delivered => verdict("delivered", "delivered"),
        pb::Outcome::PermanentFailure => verdict("permanent_failure", "dead"),
        pb::Outcome::NoRecipient => verdict("no_recipient", "cancelled"),
        pb::Outcome::TemporaryFailure => Verdict {
            retry_after: parse::duration("retry_after", request.retry_after)?,
            ..verdict("temporary_failure", "pending")
        },
        pb::Outcome::Unspecified => return Err(DataError::Malformed("outcome")),
    })
}
