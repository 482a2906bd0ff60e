use std::time::Duration;

use proto::CallError;
use proto::data as pb;
use proto::data::data_service_client::DataServiceClient;
use service_kit::deadline::Channel;

use crate::channel::Outcome;

/// data-svc.
#[derive(Debug, Clone)]
pub(crate) struct Data(DataServiceClient<Channel>);

impl Data {
    pub(crate) fn new(channel: Channel) -> Self {
        Self(DataServiceClient::new(channel))
    }

    /// Takes what is due of a report's notifications for as long as `lease`.
    pub(crate) async fn claim_notification(
        &self,
        report_id: &str,
        lease: Duration,
    ) -> Result<Vec<pb::Notification>, CallError> {
        let request = pb::ClaimNotificationRequest { report_id: report_id.to_owned(), lease: wire(lease) };
        Ok(self.0.clone().claim_notification(request).await?.into_inner().notifications)
    }

    /// Reports that have waited for `overdue` and that nobody holds.
    pub(crate) async fn list_due_notifications(
        &self,
        overdue: Duration,
        limit: u32,
    ) -> Result<Vec<pb::DueReport>, CallError> {
        let request = pb::ListDueNotificationsRequest { overdue: wire(overdue), limit };
        Ok(self.0.clone().list_due_notifications(request).await?.into_inner().reports)
    }

    /// Notes what an attempt came to.
    pub(crate) async fn record_delivery(
        &self,
        notification: &pb::Notification,
        outcome: Outcome,
    ) -> Result<(), CallError> {
        let (outcome, retry_after) = match outcome {
            Outcome::Delivered => (pb::Outcome::Delivered, None),
            Outcome::Temporary { retry_after } => (pb::Outcome::TemporaryFailure, retry_after),
            Outcome::Permanent => (pb::Outcome::PermanentFailure, None),
            Outcome::NoRecipient => (pb::Outcome::NoRecipient, None),
        };
        let request = pb::RecordDeliveryRequest {
            notification_id: notification.notification_id.clone(),
            attempt: notification.attempt,
            outcome: outcome.into(),
            retry_after: retry_after.and_then(wire),
        };
        self.0.clone().record_delivery(request).await?;
        Ok(())
    }
}

fn wire(duration: Duration) -> Option<prost_types::Duration> {
    duration.try_into().ok()
}
