//! Everything OpenTelemetry: one configuration block in, whole traces out.
//!
//! No other crate of this project names OpenTelemetry. Services get their spans from the layers and
//! clients here, so business code has no tracing line:
//!
//! | what | gives |
//! |---|---|
//! | [`init`] | exporter, sampler, resource, propagation, JSON logs with `trace_id` and `span_id` |
//! | [`http::ServerLayer`], [`http::Client`] | HTTP SERVER and CLIENT spans |
//! | [`grpc::ServerLayer`], [`grpc::Channel`] | RPC SERVER and CLIENT spans |
//! | [`postgres::Db`], [`postgres::Tx`] | `acquire connection` and one CLIENT span per statement |
//! | [`smtp::Mailer`] | `SMTP submit` CLIENT spans |
//! | [`Task`] | spawned work that stays in its trace and is awaited at shutdown |
//! | [`checked`] | an INTERNAL span around a check, with an event per broken rule |
//! | [`Counter`] | a number that others can watch, without a name or an answer in it |
//! | [`TraceContext`] | the current trace as a string, to be stored beside deferred work |

#![expect(clippy::disallowed_methods, reason = "this crate is where the bare calls are wrapped")]
#![cfg_attr(not(feature = "default"), allow(dead_code, unused, reason = "what only some instruments use"))]

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
mod init;
mod layers;
mod log;
#[cfg_attr(not(feature = "metrics"), path = "metrics/absent.rs")]
mod metrics;
mod panic;
#[cfg(feature = "sqlx")]
pub mod postgres;
mod propagation;
mod sampling;
#[cfg(feature = "lettre")]
pub mod smtp;
mod span;
mod task;
mod telemetry;
#[cfg(feature = "default")]
#[cfg(test)]
mod tests;

pub use check::{BrokenRule, checked};
pub use config::{Batcher, Compression, Config, Metrics, Queue, Sampler, Tls, UnknownSampler};
pub use context::{InvalidTraceContext, TraceContext, TraceId, link_current};
pub use init::{InitError, init};
pub use log::{LogConfig, LogFormat};
#[cfg(feature = "metrics")]
pub use metrics::{Counter, Gauge};
pub use panic::report_panic;
pub use propagation::{Boundary, Continuation, Egress, Incoming, KeepConfig, Propagator, Trust};
pub use span::fail_current;
pub use task::{Classified, Message, Task, step, unsampled};
pub use telemetry::Telemetry;
/// Log macros: each line carries the ids of the trace it is written in.
pub use tracing::{debug, error, info, warn};
