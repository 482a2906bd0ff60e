use std::fmt;
use std::str::FromStr;

use serde::Deserialize;

/// Which traces are kept. The decision of a parent wins, so that a trace is kept whole.
#[derive(Debug, Clone, Copy, PartialEq, Default, Deserialize)]
#[serde(try_from = "RawSampler")]
pub enum Sampler {
    /// Every trace.
    #[default]
    AlwaysOn,
    /// No trace.
    AlwaysOff,
    /// This share of all traces, 0 to 1, chosen by their random bits as
    /// [OpenTelemetry's consistent probability](https://opentelemetry.io/docs/specs/otel/trace/tracestate-probability-sampling/)
    /// says: services with different ratios agree, and `ot=th:...` in `tracestate` says how many traces a kept one
    /// stands for.
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
pub struct UnknownSampler(String);

impl fmt::Display for UnknownSampler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unknown sampler {:?}: give always_on, always_off or a ratio from 0 to 1", self.0)
    }
}

impl std::error::Error for UnknownSampler {}
