//! An OTLP receiver that keeps spans and metrics in memory. It takes gRPC on one port and HTTP with protobuf on
//! another. The HTTP port also returns a trace in Jaeger's format at `/api/v3/traces/{id}`.

mod clock;
mod forward;
mod grpc;
mod metrics;
mod over_http;
mod store;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use axum::extract::Path;
use axum::routing::{get, post};
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_server::{
    MetricsService, MetricsServiceServer,
};
use opentelemetry_proto::tonic::collector::metrics::v1::{ExportMetricsServiceRequest, ExportMetricsServiceResponse};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use tokio::net::TcpListener;
use tokio::time::timeout;
use tonic::transport::server::TcpIncoming;

use crate::server_task::{ANY_PORT, ServerTask};
use clock::Clocks;
use forward::Forwarder;
use grpc::MAX_REQUEST;
use metrics::Metrics;
use over_http::{receive_http, show};
use store::Store;
use traces::{Shape, Trace, diff, spans};

pub use grpc::trace_service;
pub use store::Arrivals;

/// The receiver. Its ports are free again when it is dropped.
#[derive(Debug)]
pub struct Receiver {
    grpc: SocketAddr,
    http: SocketAddr,
    shared: Arc<Shared>,
    servers: Vec<ServerTask>,
}

impl Receiver {
    /// Listens on two free ports of 127.0.0.1.
    ///
    /// # Errors
    /// When no port can be bound.
    pub async fn start() -> anyhow::Result<Self> {
        Self::start_with(None).await
    }

    /// As [`Receiver::start`], but also forwards the received spans to another OTLP/gRPC endpoint, such as
    /// `http://127.0.0.1:4317`. The receiver never waits for that endpoint: spans that it cannot take are dropped and
    /// counted.
    ///
    /// # Errors
    /// When no port can be bound or the endpoint is not a URL.
    pub async fn forwarding_to(endpoint: &str) -> anyhow::Result<Self> {
        Self::start_with(Some(Forwarder::start(endpoint)?)).await
    }

    async fn start_with(forwarder: Option<Forwarder>) -> anyhow::Result<Self> {
        let shared = Arc::new(Shared {
            store: Store::default(),
            metrics: Metrics::default(),
            clocks: Clocks::default(),
            forwarder,
        });
        let mut receiver = Self { grpc: ANY_PORT, http: ANY_PORT, shared, servers: Vec::new() };
        receiver.start_again().await?;
        Ok(receiver)
    }

    /// Listens on the same ports as before [`Receiver::stop`].
    ///
    /// # Errors
    /// When a port is taken.
    pub async fn start_again(&mut self) -> anyhow::Result<()> {
        let grpc = TcpListener::bind(self.grpc).await.context("bind the OTLP/gRPC receiver")?;
        let http = TcpListener::bind(self.http).await.context("bind the OTLP/HTTP receiver")?;
        (self.grpc, self.http) = (grpc.local_addr()?, http.local_addr()?);

        let shared = Arc::clone(&self.shared);
        let traces = trace_service(move |request| shared.take(request));
        let metrics = MetricsServiceServer::from_arc(Arc::clone(&self.shared)).max_decoding_message_size(MAX_REQUEST);
        let grpc_server = ServerTask::spawn(|stopped| async move {
            let router = tonic::transport::Server::builder().add_service(traces).add_service(metrics);
            // This fails only when the listener fails, and then the exporters see an error too.
            let _ = router.serve_with_incoming_shutdown(TcpIncoming::from(grpc), stopped.wait()).await;
        });
        let (traces, metrics, stored) = (Arc::clone(&self.shared), Arc::clone(&self.shared), Arc::clone(&self.shared));
        let router = axum::Router::new()
            .route("/v1/traces", post(async move |head, body| receive_http(&head, &body, |it| traces.take(it))))
            .route(
                "/v1/metrics",
                post(async move |head, body| receive_http(&head, &body, |it| metrics.metrics.add(it))),
            )
            .layer(axum::extract::DefaultBodyLimit::max(MAX_REQUEST))
            .route("/api/v3/traces/{id}", get(async move |Path(id): Path<String>| show(&stored.store.trace(&id))));
        self.servers = vec![grpc_server, ServerTask::http(http, router)];
        Ok(())
    }

    /// Closes both ports, as if the collector were down. The received spans stay.
    pub async fn stop(&mut self) {
        for server in self.servers.drain(..) {
            server.stop().await;
        }
    }

    /// Base URL for OTLP over gRPC.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.grpc)
    }

    /// The address for OTLP over gRPC.
    pub fn grpc_address(&self) -> SocketAddr {
        self.grpc
    }

    /// Base URL for OTLP over HTTP, without `/v1/traces` and the like.
    pub fn http_endpoint(&self) -> String {
        format!("http://{}", self.http)
    }

    /// Simulates clock skew: from now on, the spans of this service arrive as if its clock were ahead by `by`. Zero
    /// ends it.
    pub fn set_clock_ahead(&self, service: &str, by: Duration) {
        self.shared.clocks.put_ahead(service, by);
    }

    /// The spans of one trace that have arrived so far; may be empty. The id is hexadecimal.
    pub fn trace(&self, trace_id: &str) -> Trace {
        self.shared.store.trace(trace_id)
    }

    /// All traces received so far, oldest first. Beyond 10,000 the oldest are forgotten.
    pub fn traces(&self) -> Vec<Trace> {
        self.shared.store.traces()
    }

    /// Notifies of new spans, with the traces that they belong to.
    pub fn arrivals(&self) -> Arrivals {
        self.shared.store.arrivals()
    }

    /// The total of the counters, or other integer sums, with this name and these attributes, over all processes; 0
    /// when none has arrived.
    pub fn sum(&self, name: &str, attributes: &[(&str, &str)]) -> i64 {
        self.shared.metrics.sum(name, attributes)
    }

    /// The metrics that have arrived, each with the keys of its attributes.
    pub fn metrics(&self) -> BTreeMap<String, BTreeSet<String>> {
        self.shared.metrics.keys()
    }

    /// Waits, up to the deadline, until all received spans are forwarded to the endpoint of
    /// [`Receiver::forwarding_to`]. Returns how many export requests have not reached that endpoint so far.
    pub async fn drain(&self, deadline: Duration) -> u64 {
        let Some(forwarder) = &self.shared.forwarder else { return 0 };
        let _ = timeout(deadline, forwarder.drain()).await;
        forwarder.drops()
    }

    /// Waits until `complete` holds for the trace.
    ///
    /// # Errors
    /// When the deadline passes first. The error holds the spans that arrived and prints them as a tree.
    pub async fn wait_for(
        &self,
        trace_id: &str,
        deadline: Duration,
        complete: impl Fn(&Trace) -> bool,
    ) -> Result<Trace, Incomplete> {
        timeout(deadline, self.shared.store.wait_for(trace_id, complete)).await.map_err(|_| Incomplete {
            trace_id: trace_id.to_owned(),
            deadline,
            trace: self.trace(trace_id),
            diff: None,
        })
    }

    /// Waits until the trace is exactly one tree of the expected shape.
    ///
    /// # Errors
    /// When the deadline passes first; the error prints what is missing and what arrived.
    pub async fn wait_for_shape(
        &self,
        trace_id: &str,
        deadline: Duration,
        expected: &Shape,
    ) -> Result<Trace, Incomplete> {
        // Comparing trees is expensive, so it is only done once there are enough spans.
        let complete = |trace: &Trace| trace.spans.len() >= expected.size() && trace.has_shape(expected);
        self.wait_for(trace_id, deadline, complete).await.map_err(|mut incomplete| {
            incomplete.diff = diff(expected, &incomplete.trace.shape());
            incomplete
        })
    }
}

/// A trace that did not fulfil the condition before the deadline.
#[derive(Debug)]
pub struct Incomplete {
    pub trace_id: String,
    pub deadline: Duration,
    /// The spans that arrived before the deadline.
    pub trace: Trace,
    /// The difference from the expected tree, when one was given.
    pub diff: Option<String>,
}

impl fmt::Display for Incomplete {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "trace {} is not complete after {:?}", self.trace_id, self.deadline)?;
        if let Some(diff) = &self.diff {
            writeln!(f, "- missing, + unexpected:\n{diff}")?;
        }
        if self.trace.is_empty() {
            write!(f, "no span of it arrived")
        } else {
            write!(f, "what arrived:\n{}", self.trace)
        }
    }
}

impl std::error::Error for Incomplete {}

#[derive(Debug)]
struct Shared {
    store: Store,
    metrics: Metrics,
    clocks: Clocks,
    forwarder: Option<Forwarder>,
}

impl Shared {
    fn take(&self, mut request: ExportTraceServiceRequest) {
        self.clocks.set(&mut request);
        if let Some(forwarder) = &self.forwarder {
            forwarder.forward(request.clone());
        }
        self.store.add(spans(request));
    }
}

#[tonic::async_trait]
impl MetricsService for Shared {
    async fn export(
        &self,
        request: tonic::Request<ExportMetricsServiceRequest>,
    ) -> Result<tonic::Response<ExportMetricsServiceResponse>, tonic::Status> {
        self.metrics.add(request.into_inner());
        Ok(tonic::Response::new(ExportMetricsServiceResponse::default()))
    }
}

#[cfg(test)]
mod tests;
