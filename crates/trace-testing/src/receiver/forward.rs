//! Forwards export requests to another collector, which may be slow or absent.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Context;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tonic::transport::{Channel, Endpoint};

/// The most export requests that may wait. Any more are dropped.
const QUEUE: usize = 256;
const DEADLINE: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(super) struct Forwarder {
    queue: mpsc::Sender<ExportTraceServiceRequest>,
    drops: Arc<AtomicU64>,
    /// Export requests that have neither arrived nor been dropped.
    waiting: Arc<watch::Sender<u64>>,
    task: JoinHandle<()>,
}

impl Forwarder {
    pub(super) fn start(endpoint: &str) -> anyhow::Result<Self> {
        let endpoint = Endpoint::from_shared(endpoint.to_owned())
            .with_context(|| format!("forward spans to {endpoint}"))?
            .connect_timeout(DEADLINE)
            .timeout(DEADLINE);
        let (queue, requests) = mpsc::channel(QUEUE);
        let drops = Arc::new(AtomicU64::new(0));
        let waiting = Arc::new(watch::Sender::new(0));
        let collector = TraceServiceClient::new(endpoint.connect_lazy());
        let task = tokio::spawn(pass_on(requests, collector, Arc::clone(&drops), Arc::clone(&waiting)));
        Ok(Self { queue, drops, waiting, task })
    }

    pub(super) fn forward(&self, request: ExportTraceServiceRequest) {
        self.waiting.send_modify(|waiting| *waiting += 1);
        if self.queue.try_send(request).is_err() {
            self.drops.fetch_add(1, Ordering::Relaxed);
            self.waiting.send_modify(|waiting| *waiting -= 1);
        }
    }

    /// Waits until every request has been forwarded or dropped.
    pub(super) async fn drain(&self) {
        // The sender is never dropped before this borrow ends.
        let _ = self.waiting.subscribe().wait_for(|waiting| *waiting == 0).await;
    }

    pub(super) fn drops(&self) -> u64 {
        self.drops.load(Ordering::Relaxed)
    }
}

impl Drop for Forwarder {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn pass_on(
    mut requests: mpsc::Receiver<ExportTraceServiceRequest>,
    mut collector: TraceServiceClient<Channel>,
    drops: Arc<AtomicU64>,
    waiting: Arc<watch::Sender<u64>>,
) {
    while let Some(request) = requests.recv().await {
        if collector.export(request).await.is_err() {
            drops.fetch_add(1, Ordering::Relaxed);
        }
        waiting.send_modify(|waiting| *waiting -= 1);
    }
}
