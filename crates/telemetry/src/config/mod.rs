//! The `telemetry:` block of an application's configuration, and the standard variables that override it.

mod rules;
mod sampler;
pub(crate) mod settings;
mod variables;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;
use serde::Deserialize;

use crate::log::LogConfig;
use crate::propagation::{KeepConfig, Propagator, Trust};

pub use rules::{Rule, Share};
pub use sampler::{Errors, JaegerRemote, Sampler, UnknownSampler};

/// The `telemetry:` block of an application's configuration. The standard `OTEL_*` variables override it: each key has
/// its variables in [the table](crate#configuration).
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// `service.name` of every span, metric and log line.
    pub name: String,
    /// `deployment.environment.name` of every span and metric.
    pub environment: String,
    /// Further attributes of the resource.
    pub resource: BTreeMap<String, String>,
    /// The address of an OTLP receiver, such as `https://collector:4317`. Over HTTP the path of the signal is added.
    pub endpoint: Option<String>,
    /// How spans are exported.
    pub batcher: Batcher,
    /// Sent with every export, such as an API key.
    pub headers: BTreeMap<String, SecretString>,
    /// Whether exports are compressed.
    pub compression: Compression,
    /// The timeout of one export, retries included; zero means no limit.
    #[serde(with = "humantime_serde")]
    pub timeout: Duration,
    /// Certificates for an `https` receiver: the authorities that are trusted, and the client's own certificate.
    pub tls: Tls,
    /// The queue of spans that wait for export.
    pub queue: Queue,
    /// Which traces are kept.
    pub sampler: Sampler,
    /// Rules for single routes, which take precedence over the sampler.
    pub rules: Vec<Rule>,
    /// A YAML file with a list `rules` that replaces [`Config::rules`]. It is read again when it changes.
    pub rules_file: Option<PathBuf>,
    /// Formats of the context on the wire.
    pub propagators: Vec<Propagator>,
    /// Which callers' context is trusted and who receives ours.
    pub trust: Trust,
    /// How a request can ask that its trace is kept, whatever the sampler decides.
    pub keep: Option<KeepConfig>,
    /// Which `tracing` spans of the application's own code and of libraries join the trace: targets and levels, such
    /// as `info,my_crate=debug,h2=off`.
    pub spans: String,
    /// Whether metrics are exported, to the same receiver as spans.
    pub metrics: Metrics,
    /// The interval between two exports of metrics.
    #[serde(with = "humantime_serde")]
    pub metric_interval: Duration,
    /// The format of log lines and the limits of their queue.
    pub log: LogConfig,
}

impl Config {
    /// The defaults, with a `service.name`.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), ..Self::default() }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            name: "unknown_service".to_owned(),
            environment: "development".to_owned(),
            resource: BTreeMap::new(),
            endpoint: None,
            batcher: Batcher::default(),
            headers: BTreeMap::new(),
            compression: Compression::default(),
            timeout: Duration::from_secs(10),
            tls: Tls::default(),
            queue: Queue::default(),
            sampler: Sampler::default(),
            rules: Vec::new(),
            rules_file: None,
            propagators: vec![Propagator::TraceContext, Propagator::Baggage],
            trust: Trust::default(),
            keep: None,
            spans: "info".to_owned(),
            metrics: Metrics::default(),
            metric_interval: Duration::from_mins(1),
            log: LogConfig::default(),
        }
    }
}

/// How spans leave the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Batcher {
    /// OTLP over gRPC, port 4317 by convention.
    #[default]
    OtlpGrpc,
    /// OTLP over HTTP with protobuf bodies, port 4318 by convention.
    OtlpHttp,
    /// One line per span on standard output.
    Stdout,
    /// Spans are not exported. Trace ids still reach logs and downstream services.
    None,
}

/// Whether exports are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Compression {
    /// No.
    #[default]
    None,
    /// With gzip.
    Gzip,
}

/// Whether metrics leave the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Metrics {
    /// No.
    #[default]
    None,
    /// Over OTLP with the protocol of the spans, or over gRPC if spans are not exported over OTLP.
    Otlp,
}

/// Certificates and keys, as paths of PEM files.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Tls {
    /// Authorities that are trusted instead of the system's.
    pub ca: Option<PathBuf>,
    /// The client's own certificate.
    pub certificate: Option<PathBuf>,
    /// Its key.
    pub key: Option<PathBuf>,
}

/// The queue of spans that wait for export.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Queue {
    /// The most spans that may wait. When seven eighths are in use, whole traces are shed and counted, those with
    /// failures last. A span takes about 1 KiB, which is allocated only when it is queued.
    pub size: usize,
    /// The most spans in one export.
    pub batch: usize,
    /// How long a span waits for its batch to fill.
    #[serde(with = "humantime_serde")]
    pub delay: Duration,
    /// The timeout of one batch; zero means no limit.
    #[serde(with = "humantime_serde")]
    pub timeout: Duration,
}

impl Default for Queue {
    fn default() -> Self {
        // The SDK's own 2,048 loses spans in a burst of a few hundred requests.
        Self { size: 8_192, batch: 512, delay: Duration::from_secs(1), timeout: Duration::from_secs(30) }
    }
}

#[cfg(test)]
mod tests;
