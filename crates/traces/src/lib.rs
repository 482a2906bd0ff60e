//! Traces as data: read and write them, draw them, compare them with what was expected, verify that they are whole, and explain
//! what went wrong in them.
//!
//! A trace is whatever OpenTelemetry or Jaeger hands out; nothing here knows the system that it comes from.
//!
//! ```
//! # fn main() -> Result<(), traces::read::Error> {
//! let file = br#"{"resourceSpans":[{"scopeSpans":[{"spans":[
//!     {"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174","name":"GET /cart","kind":2}]}]}]}"#;
//! for trace in traces::read::traces(file)? {
//!     println!("{trace}");
//! }
//! # Ok(())
//! # }
//! ```

#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test that fails may panic"))]

mod conventions;
pub mod explain;
pub mod read;
mod render;
mod shape;
mod span;
mod trace;
mod tree;
pub mod verify;
mod waterfall;
pub mod write;

pub use read::otlp::{attributes, spans};
pub use shape::{Shape, diff, span};
pub use span::{Attributes, Event, Kind, Link, Span, Status};
pub use trace::{Mismatch, Trace};
pub use tree::Tree;
pub use waterfall::waterfall;
