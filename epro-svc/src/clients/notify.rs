use proto::CallError;
use proto::notify as pb;
use proto::notify::notify_service_client::NotifyServiceClient;
use service_kit::deadline::Channel;
use telemetry::Task;

/// notify-svc.
#[derive(Debug, Clone)]
pub(crate) struct Notify(NotifyServiceClient<Channel>);

impl Notify {
    pub(crate) fn new(channel: Channel) -> Self {
        Self(NotifyServiceClient::new(channel))
    }

    /// Tells notify-svc about a stored report, in the background. Nothing depends on it: a hint that
    /// gets lost costs time, because the sweeper finds what no hint has reached.
    pub(crate) fn hint(&self, report_id: String) {
        let mut client = self.0.clone();
        Task::producer("hint notification").spawn(async move {
            client.notify(pb::NotifyRequest { report_id }).await.map(drop).map_err(CallError::from)
        });
    }
}
