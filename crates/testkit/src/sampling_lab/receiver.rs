//! A span receiver for high load. It keeps only what is needed to judge traces, and forgets that when it is taken.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Context;
use hdrhistogram::Histogram;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::timeout;
use tonic::transport::server::TcpIncoming;

use super::probability;
use crate::otlp::trace_service;
use crate::server_task::{ANY_PORT, ServerTask};
use crate::trace::{Attributes, Span, spans};

/// What has arrived of one trace. Attributes and events are dropped to save memory.
#[derive(Debug, Default, Clone)]
pub(super) struct Kept {
    pub(super) spans: Vec<Span>,
    /// The size of its spans as they were sent, without the resource, which is sent once per request.
    pub(super) bytes: u64,
    /// The sampling probability of its root; `None` when the root has not arrived or has no probability.
    pub(super) probability: Option<f64>,
}

/// What has arrived.
#[derive(Debug)]
pub(super) struct Arrived {
    pub(super) traces: HashMap<String, Kept>,
    /// How long after its end each span came, in milliseconds.
    pub(super) held: Histogram<u64>,
}

impl Arrived {
    fn new() -> anyhow::Result<Self> {
        Ok(Self { traces: HashMap::new(), held: held()? })
    }
}

/// An empty histogram of milliseconds, up to ten minutes.
pub(super) fn held() -> anyhow::Result<Histogram<u64>> {
    Ok(Histogram::new_with_max(600_000, 3)?)
}

/// The receiver, for OTLP over gRPC. Its port is free again when it is dropped.
#[derive(Debug)]
pub(super) struct Receiver {
    address: SocketAddr,
    shared: Arc<Shared>,
    _server: ServerTask,
}

#[derive(Debug)]
struct Shared {
    arrived: Mutex<Arrived>,
    /// The number of requests so far.
    requests: watch::Sender<u64>,
}

impl Receiver {
    pub(super) async fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind(ANY_PORT).await.context("bind the lab's receiver")?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared { arrived: Mutex::new(Arrived::new()?), requests: watch::Sender::new(0) });
        let taking = Arc::clone(&shared);
        let service = trace_service(move |request| taking.take(request));
        let server = ServerTask::spawn(|stopped| async move {
            let router = tonic::transport::Server::builder().add_service(service);
            // This fails only when the listener fails, and then the exporters see an error too.
            let _ = router.serve_with_incoming_shutdown(TcpIncoming::from(listener), stopped.wait()).await;
        });
        Ok(Self { address, shared, _server: server })
    }

    pub(super) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Takes what has arrived since the last call.
    pub(super) fn take(&self) -> anyhow::Result<Arrived> {
        Ok(std::mem::replace(&mut *self.shared.arrived(), Arrived::new()?))
    }

    /// Waits until nothing has arrived for `quiet`.
    pub(super) async fn wait_for_quiet(&self, quiet: Duration) {
        let mut requests = self.shared.requests.subscribe();
        while let Ok(Ok(())) = timeout(quiet, requests.changed()).await {}
    }
}

impl Shared {
    fn arrived(&self) -> MutexGuard<'_, Arrived> {
        self.arrived.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, request: ExportTraceServiceRequest) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let groups = request.resource_spans.iter().flat_map(|group| &group.scope_spans);
        let facts =
            groups.flat_map(|scope| &scope.spans).map(|span| (span.encoded_len(), probability(&span.trace_state)));
        let facts: Vec<_> = facts.collect();
        let mut arrived = self.arrived();
        for (mut span, (bytes, probability)) in spans(request).into_iter().zip(facts) {
            let held = now.saturating_sub(Duration::from_nanos(span.end));
            arrived.held.saturating_record(u64::try_from(held.as_millis()).unwrap_or(u64::MAX));
            (span.attributes, span.resource) = (Attributes::new(), Attributes::new());
            (span.events, span.links) = (Vec::new(), Vec::new());
            let kept = arrived.traces.entry(span.trace_id.clone()).or_default();
            if span.parent_span_id.is_none() {
                kept.probability = probability;
            }
            kept.bytes += bytes as u64;
            kept.spans.push(span);
        }
        drop(arrived);
        self.requests.send_modify(|requests| *requests += 1);
    }
}
