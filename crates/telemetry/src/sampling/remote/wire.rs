//! What a server answers, over gRPC (`jaeger.api_v2.SamplingManager`, numbers of `sampling.proto`) or in JSON.

use prost::Message;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// The request.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Parameters {
    #[prost(string, tag = "1")]
    pub(super) service_name: String,
}

#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Response {
    /// Whether it is [`RATE_LIMITING`], which matters only where it answers with more than one strategy.
    #[prost(int32, tag = "1")]
    #[serde(deserialize_with = "strategy_type")]
    pub(super) strategy_type: i32,
    #[prost(message, optional, tag = "2")]
    pub(super) probabilistic_sampling: Option<Probabilistic>,
    #[prost(message, optional, tag = "3")]
    pub(super) rate_limiting_sampling: Option<RateLimiting>,
    #[prost(message, optional, tag = "4")]
    pub(super) operation_sampling: Option<PerOperation>,
}

#[derive(Clone, Copy, PartialEq, Message, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Probabilistic {
    #[prost(double, tag = "1")]
    pub(super) sampling_rate: f64,
}

#[derive(Clone, Copy, PartialEq, Message, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct RateLimiting {
    #[prost(int32, tag = "1")]
    pub(super) max_traces_per_second: i32,
}

#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct PerOperation {
    #[prost(double, tag = "1")]
    pub(super) default_sampling_probability: f64,
    #[prost(double, tag = "2")]
    pub(super) default_lower_bound_traces_per_second: f64,
    #[prost(message, repeated, tag = "3")]
    pub(super) per_operation_strategies: Vec<Operation>,
}

#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Operation {
    #[prost(string, tag = "1")]
    pub(super) operation: String,
    #[prost(message, optional, tag = "2")]
    pub(super) probabilistic_sampling: Option<Probabilistic>,
}

pub(super) const RATE_LIMITING: i32 = 1;

/// A number, or a name that Jaeger has spelled in two ways. With any other value the fields that are set tell the
/// strategy.
fn strategy_type<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i32, D::Error> {
    Ok(match Value::deserialize(deserializer)? {
        Value::String(name) if name == "RATE_LIMITING" || name == "RATELIMITING" => RATE_LIMITING,
        Value::Number(number) if number.as_i64() == Some(RATE_LIMITING.into()) => RATE_LIMITING,
        _ => 0,
    })
}
