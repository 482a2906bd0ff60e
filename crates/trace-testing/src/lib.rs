//! Helpers for tests of a traced system: an OTLP [receiver] that the system's processes export to, a wait for one
//! trace, and a comparison of that trace with the expected tree.
//!
//! ```
//! use std::time::Duration;
//!
//! use trace_testing::receiver::Receiver;
//! use traces::{Kind, span};
//!
//! # async fn shop(endpoint: &str) -> Result<String, Box<dyn std::error::Error>> {
//! #     use telemetry::{Config, Task, Telemetry, TraceContext};
//! #     let telemetry = Telemetry::start(&Config { endpoint: Some(endpoint.to_owned()), ..Config::new("shop") }, "1.0.0")?;
//! #     let work = async { Task::internal("take money").run(async {}).await; TraceContext::current().trace_id().to_string() };
//! #     let trace_id = telemetry.scope(Task::internal("buy").run(work)).await;
//! #     telemetry.shutdown(Duration::from_secs(5)).await;
//! #     Ok(trace_id)
//! # }
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let receiver = Receiver::start().await?;
//! // Start the system with OTEL_EXPORTER_OTLP_ENDPOINT set to this and send it a request. Its answer names the trace.
//! let trace_id = shop(&receiver.endpoint()).await?;
//!
//! let expected = span("shop", "buy", Kind::Internal).child(span("shop", "take money", Kind::Internal));
//! receiver.wait_for_shape(&trace_id, Duration::from_secs(5), &expected).await?;
//! # Ok(())
//! # }
//! ```
//!
//! The crate `traces` defines trees and shapes, and the language that they are written in.

#![expect(clippy::disallowed_methods, reason = "a test double: not part of any trace")]
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test that fails may panic"))]

pub mod conventions;
pub mod journal;
pub mod poll;
pub mod receiver;
pub mod server_task;
