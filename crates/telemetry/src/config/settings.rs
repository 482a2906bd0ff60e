//! What the configuration block and the standard variables come to, in the types the rest of the crate is built from.

use std::path::PathBuf;
use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry_sdk::trace::SpanLimits;

use super::Sampler;
use crate::propagation::{Propagator, Trust};

/// Everything that is decided before anything is built.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// `OTEL_SDK_DISABLED`: no span, no count; a caller's context passes through untouched.
    pub(crate) disabled: bool,
    /// Attributes of the resource, `service.name` among them, each key once.
    pub(crate) resource: Vec<KeyValue>,
    /// Which traces are kept.
    pub(crate) sampler: Sampler,
    /// What one span may hold.
    pub(crate) limits: SpanLimits,
    /// Formats of the context on the wire; all are read, all are written.
    pub(crate) propagators: Vec<Propagator>,
    /// What may come in and what may leave, at each boundary.
    pub(crate) trust: Trust,
    /// Where spans go; `None`: nowhere, ids still travel.
    pub(crate) spans: Option<Exporter>,
    /// The queue before the exporter of spans.
    pub(crate) queue: Queue,
    /// Where metrics go; `None`: nothing is counted.
    pub(crate) metrics: Option<MetricExport>,
    /// What was set and makes no sense, one sentence each: logged once the log runs, and ignored.
    pub(crate) warnings: Vec<String>,
}

/// How a signal leaves the process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Exporter {
    /// One line each on standard output.
    Stdout,
    /// The OpenTelemetry protocol.
    Otlp(Otlp),
}

/// Where and how OTLP is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Otlp {
    pub(crate) protocol: Protocol,
    /// For HTTP the whole URL with its path, for gRPC scheme, host and port.
    pub(crate) endpoint: String,
    /// Sent with every request. Their values may be secret.
    pub(crate) headers: Vec<(String, Secret)>,
    pub(crate) gzip: bool,
    /// How long one export may take, its retries included.
    pub(crate) timeout: Duration,
    pub(crate) tls: Tls,
}

/// What carries OTLP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    Grpc,
    HttpProtobuf,
}

/// Files in PEM. They matter where the endpoint is `https`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Tls {
    /// Authorities that are trusted instead of the system's.
    pub(crate) ca: Option<PathBuf>,
    /// The client's own certificate, with its key.
    pub(crate) certificate: Option<PathBuf>,
    pub(crate) key: Option<PathBuf>,
}

/// `OTEL_BSP_*`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Queue {
    /// Spans that wait at most; more are dropped and counted.
    pub(crate) size: usize,
    /// Spans sent at once at most.
    pub(crate) batch: usize,
    /// How long a span waits for company.
    pub(crate) delay: Duration,
    /// How long one batch may take to be sent.
    pub(crate) timeout: Duration,
}

/// `OTEL_METRIC_EXPORT_*`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MetricExport {
    pub(crate) otlp: Otlp,
    pub(crate) interval: Duration,
}

/// Text that is not shown.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret(pub(crate) String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("(secret)")
    }
}
