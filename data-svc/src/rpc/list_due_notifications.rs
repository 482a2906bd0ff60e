use proto::data as pb;
use telemetry::postgres::Db;

use super::parse;
use crate::error::DataError;
use crate::store;

/// Notifications looked at for one answer.
const LIMIT: u32 = 1000;

/// Reports whose notifications are overdue although no worker holds them.
pub(crate) async fn list_due_notifications(
    db: &Db,
    request: &pb::ListDueNotificationsRequest,
) -> Result<pb::ListDueNotificationsResponse, DataError> {
    let overdue = parse::duration("overdue", request.overdue)?;
    let limit = i64::from(request.limit.min(LIMIT));
    let reports = store::notification::list_due(db, overdue, limit)
        .await?
        .into_iter()
        .map(|due| pb::DueReport {
            report_id: due.report_id.to_string(),
            traceparent: due.traceparent,
            attempt: due.attempts.unsigned_abs() + 1,
        })
        .collect();
    Ok(pb::ListDueNotificationsResponse { reports })
}
