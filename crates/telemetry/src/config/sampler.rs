use std::fmt;
use std::str::FromStr;

use std::time::Duration;

use serde::{Deserialize, Deserializer};
use serde_untagged::UntaggedEnumVisitor;

/// Which traces are kept. The decision of a parent wins, so that a trace is kept whole.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
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
    /// By the strategy of a Jaeger remote sampling server.
    JaegerRemote(JaegerRemote),
    /// A share of all traces, and every trace in which something fails.
    Errors(Errors),
}

/// Which traces are kept besides those with errors, and how undecided traces are buffered: `sampler: errors`, or
/// `sampler: {errors: {ratio: 0.01}}`.
///
/// Every span is recorded. The spans of a trace that the ratio did not choose are buffered until its last span in this
/// process has ended and [`Errors::hold`] has passed. If one of them fails, all of them are exported. So are the spans
/// of the callers, which learn of it with the answer, and those of services that are called afterwards.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Errors {
    /// The share of traces that is kept whether or not they fail, 0 to 1.
    pub ratio: f64,
    /// How long a trace waits after its last span in this process has ended.
    #[serde(with = "humantime_serde")]
    pub hold: Duration,
    /// The size of the buffer of undecided traces, in bytes. Beyond it the oldest traces are dropped and counted.
    pub bytes: usize,
}

impl Default for Errors {
    fn default() -> Self {
        Self { ratio: 0.05, hold: Duration::from_secs(2), bytes: 16 * 1024 * 1024 }
    }
}

/// The server of sampling strategies: `sampler: jaeger_remote`, or `sampler: {jaeger_remote: {endpoint: ...}}`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct JaegerRemote {
    /// A gRPC server; a URL with a path is an HTTP server, such as `http://jaeger:5778/sampling`.
    pub endpoint: String,
    /// The pause after an answer before the next request.
    #[serde(with = "humantime_serde")]
    pub interval: Duration,
    /// The share of traces that is kept until the first answer, 0 to 1.
    pub initial_ratio: f64,
}

impl Default for JaegerRemote {
    fn default() -> Self {
        // The port is where Jaeger 2 serves it; interval and ratio are those of OpenTelemetry's SDKs.
        let endpoint = "http://localhost:5779".to_owned();
        Self { endpoint, interval: Duration::from_mins(1), initial_ratio: 0.001 }
    }
}

enum RawSampler {
    Number(f64),
    Text(String),
    Named(Named),
}

/// Chooses by the type of the value instead of trying each variant, so that an error names the unknown key.
impl<'de> Deserialize<'de> for RawSampler {
    #[expect(clippy::cast_precision_loss, reason = "a ratio is 0 or 1 if it is whole")]
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        UntaggedEnumVisitor::new()
            .expecting("a ratio, the name of a sampler, or one with settings")
            .f64(|number| Ok(Self::Number(number)))
            .i64(|number| Ok(Self::Number(number as f64)))
            .u64(|number| Ok(Self::Number(number as f64)))
            .string(|text| Ok(Self::Text(text.to_owned())))
            .map(|map| map.deserialize().map(Self::Named))
            .deserialize(deserializer)
    }
}

/// Samplers with settings of their own.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Named {
    JaegerRemote(JaegerRemote),
    Errors(Errors),
}

impl TryFrom<RawSampler> for Sampler {
    type Error = UnknownSampler;

    fn try_from(raw: RawSampler) -> Result<Self, UnknownSampler> {
        match raw {
            RawSampler::Number(ratio) => Self::ratio(ratio),
            RawSampler::Text(text) => text.parse(),
            RawSampler::Named(Named::Errors(errors)) => {
                Self::ratio(errors.ratio)?;
                Ok(Self::Errors(errors))
            }
            RawSampler::Named(Named::JaegerRemote(remote)) => {
                Self::ratio(remote.initial_ratio)?;
                if remote.interval.is_zero() {
                    return Err(UnknownSampler("an interval of nothing".to_owned()));
                }
                Ok(Self::JaegerRemote(remote))
            }
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
            "errors" => Ok(Self::Errors(Errors::default())),
            "jaeger_remote" => Ok(Self::JaegerRemote(JaegerRemote::default())),
            _ => text.parse().map_err(|_| UnknownSampler(text.to_owned())).and_then(Self::ratio),
        }
    }
}

/// A text that is neither the name of a sampler nor a ratio from 0 to 1.
#[derive(Debug)]
pub struct UnknownSampler(String);

impl fmt::Display for UnknownSampler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "unknown sampler {:?}: give always_on, always_off, errors, jaeger_remote or a ratio from 0 to 1",
            self.0
        )
    }
}

impl std::error::Error for UnknownSampler {}
