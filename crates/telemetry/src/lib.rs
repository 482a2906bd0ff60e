#![doc = include_str!("../README.md")]
//!
//! # Configuration
//!
//! The keys of [`Config`], what go-zero calls them, and the standard variables that override them:
//!
#![doc = include_str!("config/table.md")]
#![expect(clippy::disallowed_methods, reason = "this crate is where the bare calls are wrapped")]
#![cfg_attr(not(feature = "default"), allow(unused, unreachable_pub, reason = "what only some instruments use"))]

mod attached;
mod baggage;
mod check;
mod config;
mod context;
mod conventions;
mod export;
#[cfg(feature = "tonic")]
pub mod grpc;
mod grpc_status;
#[cfg(any(feature = "axum", feature = "reqwest"))]
pub mod http;
#[cfg(any(feature = "lettre", feature = "sqlx"))]
mod idle;
mod init;
mod layers;
mod log;
#[cfg(feature = "metrics")]
mod measure;
#[cfg_attr(not(feature = "metrics"), path = "metrics/absent.rs")]
mod metrics;
mod panic;
#[cfg(feature = "sqlx")]
pub mod postgres;
mod propagation;
#[cfg(any(test, feature = "testing"))]
mod recorder;
mod relay;
mod retry_after;
mod sampling;
#[cfg(feature = "lettre")]
pub mod smtp;
mod span;
mod task;
mod telemetry;
#[cfg(feature = "default")]
#[cfg(test)]
mod tests;
mod trace_state;

pub use baggage::{baggage, with_baggage};
pub use check::checked;
pub use config::{
    Batcher, Compression, Config, Errors, JaegerRemote, Metrics, Queue, Rule, Sampler, Share, Tls, UnknownSampler,
};
pub use context::{InvalidTraceContext, TraceContext, TraceId, link_current};
pub use init::{InitError, init};
pub use log::{LogConfig, LogFormat};
#[cfg(feature = "metrics")]
pub use measure::{Counter, Gauge, Histogram};
pub use panic::report_panic;
pub use propagation::{Boundary, Continuation, Egress, Incoming, KeepConfig, Propagator, Trust};
#[cfg(any(test, feature = "testing"))]
pub use recorder::{Recorder, TooFew};
pub use relay::{InvalidId, Relay, RelayedPlace, RelayedRequest, RelayedTime};
pub use retry_after::retry_after;
pub use span::fail_current;
pub use task::{Message, Task, step, unsampled};
pub use telemetry::Telemetry;
/// Log macros: each line carries the ids of the trace it is written in.
pub use tracing::{debug, error, info, warn};
