use std::sync::Arc;

use proto::notify as pb;

use crate::delivery::Delivery;
use crate::error::NotifyError;

/// Takes a hint: the delivery starts in the background and the caller goes on. With too many under
/// way the hint is let go: the sweeper finds the report.
pub(crate) fn notify(delivery: &Arc<Delivery>, request: pb::NotifyRequest) -> Result<pb::NotifyResponse, NotifyError> {
    if request.report_id.is_empty() {
        return Err(NotifyError::MissingReport);
    }
    delivery.try_start(request.report_id);
    Ok(pb::NotifyResponse {})
}
