use std::time::Duration;

use proto::data as pb;
use proto::data::data_service_client::DataServiceClient;
use service_kit::error::{CallError, DomainError as _, ErrorKind};
use service_kit::grpc::UpstreamChannel;
use tokio::time::sleep;

use crate::channel::Outcome;

/// The pauses before the outcome of an attempt is recorded again. A lost record means a duplicate: the message is sent
/// again.
const AGAIN_AFTER: [Duration; 3] = [Duration::from_millis(200), Duration::from_secs(1), Duration::from_secs(4)];

/// data-svc.
#[derive(Debug, Clone)]
pub(crate) struct Data(DataServiceClient<UpstreamChannel>);

/// How long recording an outcome takes at most, if one call may take `timeout`.
pub(crate) fn longest_record(timeout: Duration) -> Duration {
    AGAIN_AFTER.iter().fold(timeout, |sum, pause| sum.saturating_add(*pause).saturating_add(timeout))
}

impl Data {
    pub(crate) fn new(channel: UpstreamChannel) -> Self {
        Self(DataServiceClient::new(channel))
    }

    /// Leases those notifications of a report that are due on these channels, for the time `lease`.
    pub(crate) async fn claim_notification(
        &self,
        report_id: &str,
        channels: &[pb::Channel],
        lease: Duration,
    ) -> Result<pb::ClaimNotificationResponse, CallError> {
        let request = pb::ClaimNotificationRequest {
            report_id: report_id.to_owned(),
            lease: wire(lease),
            channels: ids(channels),
        };
        Ok(self.0.clone().claim_notification(request).await?.into_inner())
    }

    /// Leases notifications that are due on these channels and that no worker holds, for the time `lease`. Those that
    /// may have a hint on its way are left out until they are overdue by `overdue`.
    pub(crate) async fn claim_due_notifications(
        &self,
        overdue: Duration,
        limit: usize,
        channels: &[pb::Channel],
        lease: Duration,
    ) -> Result<Vec<pb::DueReport>, CallError> {
        let request = pb::ClaimDueNotificationsRequest {
            overdue: wire(overdue),
            limit: limit.try_into().unwrap_or(u32::MAX),
            lease: wire(lease),
            channels: ids(channels),
        };
        Ok(self.0.clone().claim_due_notifications(request).await?.into_inner().reports)
    }

    /// Records the outcome of an attempt. If another attempt makes sense, it follows after `retry_after`, unless the
    /// notification is older than `give_up_after` by then. If no attempt was made, the claim is released.
    pub(crate) async fn record_delivery(
        &self,
        notification: &pb::Notification,
        outcome: Outcome,
        retry_after: Duration,
        give_up_after: Duration,
    ) -> Result<(), CallError> {
        let Some(outcome) = outcome.recorded() else { return self.release(notification, retry_after).await };
        let mut pauses = AGAIN_AFTER.into_iter();
        loop {
            let recorded = self.record(notification, outcome, retry_after, give_up_after).await;
            let is_away = |error: &CallError| matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Timeout);
            match pauses.next() {
                // Recording again is safe: a stored attempt stays as it is.
                Some(pause) if recorded.as_ref().is_err_and(is_away) => sleep(pause).await,
                _ => return recorded,
            }
        }
    }

    /// Leases unnotified reports that are due to be escalated. They are due again after `lease`, unless somebody is
    /// notified of them.
    pub(crate) async fn claim_unnotified_reports(
        &self,
        limit: u32,
        lease: Duration,
    ) -> Result<Vec<pb::UnnotifiedReport>, CallError> {
        let request = pb::ClaimUnnotifiedReportsRequest { limit, lease: wire(lease) };
        Ok(self.0.clone().claim_unnotified_reports(request).await?.into_inner().reports)
    }

    /// Notifies these nurses of a report, except those who have a notification already. If nobody can be notified, the
    /// report is due again after `again_after`.
    pub(crate) async fn escalate_report(
        &self,
        report_id: &str,
        recipients: Vec<pb::Recipient>,
        again_after: Duration,
    ) -> Result<pb::EscalateReportResponse, CallError> {
        let again_after = wire(again_after);
        let request = pb::EscalateReportRequest { report_id: report_id.to_owned(), recipients, again_after };
        Ok(self.0.clone().escalate_report(request).await?.into_inner())
    }

    /// Releases a claim whose delivery was not attempted; the notification is due again after `retry_after`. Not
    /// retried: by the second try, another worker could hold the lease.
    pub(crate) async fn release(
        &self,
        notification: &pb::Notification,
        retry_after: Duration,
    ) -> Result<(), CallError> {
        let request = pb::ReleaseNotificationRequest {
            notification_id: notification.notification_id.clone(),
            attempt: notification.attempt,
            retry_after: wire(retry_after),
            companions: notification.companions.clone(),
        };
        self.0.clone().release_notification(request).await?;
        Ok(())
    }

    async fn record(
        &self,
        notification: &pb::Notification,
        outcome: pb::Outcome,
        retry_after: Duration,
        give_up_after: Duration,
    ) -> Result<(), CallError> {
        let request = pb::RecordDeliveryRequest {
            notification_id: notification.notification_id.clone(),
            attempt: notification.attempt,
            outcome: outcome.into(),
            retry_after: wire(retry_after),
            give_up_after: wire(give_up_after),
            companions: notification.companions.clone(),
        };
        self.0.clone().record_delivery(request).await?;
        Ok(())
    }
}

fn wire(duration: Duration) -> Option<prost_types::Duration> {
    duration.try_into().ok()
}

fn ids(channels: &[pb::Channel]) -> Vec<i32> {
    channels.iter().map(|channel| (*channel).into()).collect()
}
