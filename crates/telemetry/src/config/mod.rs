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
    /// How spans travel.
    pub batcher: Batcher,
    /// Sent with every export, such as an API key.
    pub headers: BTreeMap<String, SecretString>,
    /// Whether exports are compressed.
    pub compression: Compression,
    /// How long one export may take, its repetitions included; zero is no limit.
    #[serde(with = "humantime_serde")]
    pub timeout: Duration,
    /// What an `https` receiver is held against, and what it is shown.
    pub tls: Tls,
    /// What waits for export.
    pub queue: Queue,
    /// Which traces are kept.
    pub sampler: Sampler,
    /// What holds for single routes, above the sampler.
    pub rules: Vec<Rule>,
    /// A file in YAML with a list `rules` that takes the place of these, and is followed when it changes.
    pub rules_file: Option<PathBuf>,
    /// Formats of the context on the wire.
    pub propagators: Vec<Propagator>,
    /// Whose context is believed and who is told ours.
    pub trust: Trust,
    /// Who may have a trace kept whatever the sampler says.
    pub keep: Option<KeepConfig>,
    /// Which `tracing` spans of the application's own code and of libraries join the trace: targets and levels, such
    /// as `info,my_crate=debug,h2=off`.
    pub spans: String,
    /// Whether metrics are sent, to where the spans go.
    pub metrics: Metrics,
    /// How often.
    #[serde(with = "humantime_serde")]
    pub metric_interval: Duration,
    /// How log lines look and how many may wait.
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
    /// Nowhere. Trace ids still reach logs and downstream services.
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
    /// By OTLP, as spans are sent; over gRPC where those are not.
    Otlp,
}

/// Files in PEM.
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

/// Spans that wait for export.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Queue {
    /// Spans that wait at most. Whole traces are shed and counted when seven eighths of it are full, those of failures
    /// last. About 1 KiB a span, taken as they come.
    pub size: usize,
    /// Spans sent at once at most.
    pub batch: usize,
    /// How long a span waits for company.
    #[serde(with = "humantime_serde")]
    pub delay: Duration,
    /// How long one batch may take; zero is no limit.
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
