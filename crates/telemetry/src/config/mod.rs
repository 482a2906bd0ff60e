use std::fmt;
use std::str::FromStr;

use serde::Deserialize;

use crate::init::InitError;
use crate::log::LogConfig;

#[expect(dead_code, reason = "being built")]
pub(crate) mod settings;

/// The `telemetry:` block of a service's configuration. The standard `OTEL_*` variables override it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// `service.name` of every span and count.
    pub name: String,
    /// Where spans go: the address of an OTLP receiver, such as `http://jaeger:4317`.
    #[serde(default = "default_endpoint")]
    pub endpoint: String,
    /// How spans travel.
    #[serde(default)]
    pub batcher: Batcher,
    /// Which traces are kept.
    #[serde(default)]
    pub sampler: Sampler,
    /// Whether counts are sent, to where the spans go.
    #[serde(default)]
    pub metrics: Metrics,
    /// `deployment.environment.name` of every span and count.
    #[serde(default = "default_environment")]
    pub environment: String,
    /// How log lines look and how many may wait.
    #[serde(default)]
    pub log: LogConfig,
    /// Whether a `traceparent` from outside is continued (`true`) or only linked to (`false`).
    #[serde(default = "default_trust")]
    pub trust_remote_context: bool,
    /// `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT`: for OTLP over HTTP a whole URL, taken as it is.
    #[serde(skip)]
    traces_endpoint: Option<String>,
    /// `OTEL_EXPORTER_OTLP_METRICS_ENDPOINT`, the same for counts.
    #[serde(skip)]
    metrics_endpoint: Option<String>,
    /// How counts travel: as spans are configured to, or as the variable of counts or of all signals says.
    #[serde(skip)]
    pub(crate) metrics_batcher: Batcher,
}

impl Config {
    /// Applies the standard `OTEL_*` variables, read by `variable`; those of the batch processor and
    /// of the periodic reader are read where these are built.
    pub(crate) fn overridden(mut self, variable: impl Fn(&str) -> Option<String>) -> Result<Self, InitError> {
        // To the specification an empty variable is one that is not set.
        let variable = |name| variable(name).filter(|value| !value.is_empty());
        if let Some(name) = variable("OTEL_SERVICE_NAME") {
            self.name = name;
        }
        if let Some(endpoint) = variable("OTEL_EXPORTER_OTLP_ENDPOINT") {
            self.endpoint = endpoint;
        }
        self.traces_endpoint = variable("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT");
        self.metrics_endpoint = variable("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT");
        let protocol = |name| match variable(name).or_else(|| variable("OTEL_EXPORTER_OTLP_PROTOCOL")).as_deref() {
            None => Ok(None),
            Some("grpc") => Ok(Some(Batcher::OtlpGrpc)),
            Some("http/protobuf") => Ok(Some(Batcher::OtlpHttp)),
            Some(other) => Err(InitError::Protocol(other.to_owned())),
        };
        let configured = self.batcher;
        self.batcher = protocol("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL")?.unwrap_or(self.batcher);
        match variable("OTEL_TRACES_EXPORTER").as_deref() {
            None | Some("otlp") => {}
            Some("console") => self.batcher = Batcher::Stdout,
            Some("none") => self.batcher = Batcher::None,
            Some(other) => return Err(InitError::TracesExporter(other.to_owned())),
        }
        match variable("OTEL_METRICS_EXPORTER").as_deref() {
            None => {}
            Some("otlp") => self.metrics = Metrics::Otlp,
            Some("none") => self.metrics = Metrics::None,
            Some(other) => return Err(InitError::MetricsExporter(other.to_owned())),
        }
        if self.metrics == Metrics::Otlp {
            self.metrics_batcher = protocol("OTEL_EXPORTER_OTLP_METRICS_PROTOCOL")?.unwrap_or(configured);
        }
        if variable("OTEL_SDK_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true")) {
            self.batcher = Batcher::None;
            self.metrics = Metrics::None;
        }
        if let Some(name) = variable("OTEL_TRACES_SAMPLER") {
            self.sampler = match name.strip_prefix("parentbased_").unwrap_or(&name) {
                "traceidratio" => variable("OTEL_TRACES_SAMPLER_ARG").as_deref().unwrap_or("1").parse()?,
                other => other.parse()?,
            };
        }
        Ok(self)
    }

    /// Where OTLP sends spans to, by [`Config::batcher`].
    pub(crate) fn traces_address(&self) -> String {
        self.address(self.traces_endpoint.as_ref(), self.batcher, "/v1/traces")
    }

    /// Where OTLP sends counts to, by [`Config::metrics_batcher`].
    pub(crate) fn metrics_address(&self) -> String {
        self.address(self.metrics_endpoint.as_ref(), self.metrics_batcher, "/v1/metrics")
    }

    /// The signal's own address as it is, else that of all signals, to which OTLP over HTTP adds a path.
    fn address(&self, own: Option<&String>, protocol: Batcher, path: &str) -> String {
        match (own, protocol) {
            (Some(own), _) => own.clone(),
            (None, Batcher::OtlpHttp) => format!("{}{path}", self.endpoint.trim_end_matches('/')),
            (None, _) => self.endpoint.clone(),
        }
    }
}

fn default_endpoint() -> String {
    "http://127.0.0.1:4317".to_owned()
}

fn default_environment() -> String {
    "development".to_owned()
}

fn default_trust() -> bool {
    true
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

/// Whether counts leave the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Metrics {
    /// No: Jaeger does not take them.
    #[default]
    None,
    /// By OTLP, as spans are sent; over gRPC where those are not.
    Otlp,
}

/// Which traces are kept. The decision of a parent always wins, so that a trace is kept whole.
#[derive(Debug, Clone, Copy, PartialEq, Default, Deserialize)]
#[serde(try_from = "RawSampler")]
pub enum Sampler {
    /// Every trace.
    #[default]
    AlwaysOn,
    /// No trace.
    AlwaysOff,
    /// This share of all traces, 0 to 1, chosen by trace id.
    Ratio(f64),
}

#[derive(Deserialize)]
#[serde(untagged)]
enum RawSampler {
    Number(f64),
    Text(String),
}

impl TryFrom<RawSampler> for Sampler {
    type Error = UnknownSampler;

    fn try_from(raw: RawSampler) -> Result<Self, UnknownSampler> {
        match raw {
            RawSampler::Number(ratio) => Self::ratio(ratio),
            RawSampler::Text(text) => text.parse(),
        }
    }
}

impl Sampler {
    fn ratio(ratio: f64) -> Result<Self, UnknownSampler> {
        if (0.0..=1.0).contains(&ratio) { Ok(Self::Ratio(ratio)) } else { Err(UnknownSampler(ratio.to_string())) }
    }
}

impl FromStr for Sampler {
    type Err = UnknownSampler;

    fn from_str(text: &str) -> Result<Self, UnknownSampler> {
        match text {
            "always_on" => Ok(Self::AlwaysOn),
            "always_off" => Ok(Self::AlwaysOff),
            _ => text.parse().map_err(|_| UnknownSampler(text.to_owned())).and_then(Self::ratio),
        }
    }
}

/// A sampler that is none of the known ones.
#[derive(Debug)]
pub struct UnknownSampler(pub(crate) String);

impl fmt::Display for UnknownSampler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unknown sampler {:?}: give always_on, always_off or a ratio from 0 to 1", self.0)
    }
}

impl std::error::Error for UnknownSampler {}

#[cfg(test)]
mod tests;
