use std::fmt;
use std::str::FromStr;

use serde::Deserialize;

/// The `telemetry:` block of a service's configuration. The standard `OTEL_*` variables override it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// `service.name` of every span.
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
    /// `deployment.environment.name` of every span.
    #[serde(default = "default_environment")]
    pub environment: String,
    /// Whether a `traceparent` from outside is continued (`true`) or only linked to (`false`).
    #[serde(default = "default_trust")]
    pub trust_remote_context: bool,
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
mod tests {
    use super::*;

    #[test]
    fn a_ratio_may_be_written_as_a_number_or_as_text() {
        assert_eq!("0.05".parse::<Sampler>().ok(), Some(Sampler::Ratio(0.05)));
        assert_eq!(serde_json::from_str::<Sampler>("0.05").ok(), Some(Sampler::Ratio(0.05)));
        assert_eq!(serde_json::from_str::<Sampler>("\"always_off\"").ok(), Some(Sampler::AlwaysOff));
    }

    #[test]
    fn a_ratio_above_one_and_an_unknown_name_are_refused() {
        assert!("1.5".parse::<Sampler>().is_err());
        assert!("sometimes".parse::<Sampler>().is_err());
    }
}
