use proto::domain::Role;
use proto::report::{ResendNotificationRequest, ResendNotificationResponse};

use super::principal_as;
use crate::clients::Data;
use crate::error::ReportError;

/// Resends a notification for a nurse of its site. It needs no hint, because the sweeper finds it at once.
pub(crate) async fn resend_notification(
    data: &Data,
    request: ResendNotificationRequest,
) -> Result<ResendNotificationResponse, ReportError> {
    let principal = principal_as(Role::Nurse, request.principal)?;
    data.resend_notification(&principal, request.notification_id).await?;
    Ok(ResendNotificationResponse {})
}
