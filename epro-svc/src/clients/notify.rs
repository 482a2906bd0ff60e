use std::sync::Arc;

use proto::notify as pb;
use proto::notify::notify_service_client::NotifyServiceClient;
use service_kit::error::CallError;
use service_kit::grpc::UpstreamChannel;
use telemetry::{Message, Task};
use tokio::sync::Semaphore;

/// Hints that may be under way at the same time. Beyond that no hint is sent, and the sweeper finds the notifications.
const HINTS: usize = 256;

/// notify-svc.
#[derive(Debug, Clone)]
pub(crate) struct Notify {
    client: NotifyServiceClient<UpstreamChannel>,
    permits: Arc<Semaphore>,
}

impl Notify {
    pub(crate) fn new(channel: UpstreamChannel) -> Self {
        Self { client: NotifyServiceClient::new(channel), permits: Arc::new(Semaphore::new(HINTS)) }
    }

    /// Tells notify-svc about a stored report, in the background. Nothing depends on it: if a hint is lost, the sweeper
    /// finds the notifications a little later.
    pub(crate) fn hint(&self, report_id: String) {
        let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() else { return };
        let mut client = self.client.clone();
        let message = Message { system: "grpc", destination: "notification", id: report_id.clone() };
        Task::send("hint notification", message).spawn(async move {
            let hinted = client.notify(pb::NotifyRequest { report_id }).await.map_err(CallError::from);
            let _ = hinted.inspect_err(service_kit::note_failure);
            drop(permit);
        });
    }
}
