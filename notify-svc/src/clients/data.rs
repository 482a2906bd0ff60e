use std::time::Duration;

use proto::data as pb;
use proto::data::data_service_client::DataServiceClient;
use service_kit::error::{CallError, DomainError as _, ErrorKind};
use service_kit::grpc::Channel;
use tokio::time::sleep;

use crate::channel::Outcome;

/// The pauses before an attempt is recorded once more: what is not known to be sent is sent again.
const AGAIN_AFTER: [Duration; 3] = [Duration::from_millis(200), Duration::from_secs(1), Duration::from_secs(4)];

/// data-svc.
#[derive(Debug, Clone)]
pub(crate) struct Data(DataServiceClient<Channel>);

/// How long it takes at most to record an attempt, when one call may take `timeout`.
pub(crate) fn longest_record(timeout: Duration) -> Duration {
    AGAIN_AFTER.iter().fold(timeout, |sum, pause| sum.saturating_add(*pause).saturating_add(timeout))
}

impl Data {
    pub(crate) fn new(channel: Channel) -> Self {
        Self(DataServiceClient::new(channel))
    }

    /// Takes what is due of a report's notifications on these channels for as long as `lease`.
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

    /// Takes what is due on these channels and held by nobody, for as long as `lease`; what may have a hint
    /// on its way only after `overdue`.
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

    /// Notes what an attempt came to; if it is worth another, that one comes after `retry_after`, unless the
    /// notification is older than `give_up_after` by then. Where there was no attempt the claim is given back.
    pub(crate) async fn record_delivery(
        &self,
        notification: &pb::Notification,
        outcome: Outcome,
        retry_after: Duration,
        give_up_after: Duration,
    ) -> Result<(), CallError> {
        let outcome = match outcome {
            Outcome::Delivered => pb::Outcome::Delivered,
            Outcome::NoRecipient => pb::Outcome::NoRecipient,
            Outcome::Unaddressable | Outcome::Rejected => pb::Outcome::Rejected,
            Outcome::Deferred => pb::Outcome::Deferred,
            Outcome::Busy => return self.release(notification, retry_after).await,
            Outcome::Timeout => pb::Outcome::Timeout,
            Outcome::Throttled { .. } => pb::Outcome::Throttled,
            Outcome::ProviderError { .. } => pb::Outcome::ProviderError,
            Outcome::Connection => pb::Outcome::Connection,
            Outcome::Uncertain => pb::Outcome::Uncertain,
            Outcome::Panic => pb::Outcome::Panic,
        };
        let mut pauses = AGAIN_AFTER.into_iter();
        loop {
            let recorded = self.record(notification, outcome, retry_after, give_up_after).await;
            let is_away = |error: &CallError| matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Timeout);
            match pauses.next() {
                // An attempt that was recorded already stays as it is.
                Some(pause) if recorded.as_ref().is_err_and(is_away) => sleep(pause).await,
                _ => return recorded,
            }
        }
    }

    /// Takes reports that nobody was told of and that are due to be escalated; they are due again after `lease`, unless
    /// somebody is told of them.
    pub(crate) async fn claim_untold_reports(
        &self,
        limit: u32,
        lease: Duration,
    ) -> Result<Vec<pb::UntoldReport>, CallError> {
        let request = pb::ClaimUntoldReportsRequest { limit, lease: wire(lease) };
        Ok(self.0.clone().claim_untold_reports(request).await?.into_inner().reports)
    }

    /// Has these nurses told of a report, as far as they have not been. One that nobody can be told of is due again after
    /// `again_after`.
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

    /// Gives a claim back that came to no attempt; it is due again after `retry_after`. Once: a second time somebody else
    /// could hold it.
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
