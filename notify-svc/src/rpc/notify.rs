use std::sync::Arc;

use proto::notify as pb;

use crate::delivery::Delivery;
use crate::error::NotifyError;

/// Takes a hint: starts the delivery in the background and returns at once. If too many deliveries are under way, the
/// hint is dropped, and the sweeper finds the report.
pub(crate) fn notify(delivery: &Arc<Delivery>, request: pb::NotifyRequest) -> Result<pb::NotifyResponse, NotifyError> {
    if request.report_id.is_empty() {
        return Err(NotifyError::MissingReport);
    }
    delivery.try_start(request.report_id);
    Ok(pb::NotifyResponse {})
}
