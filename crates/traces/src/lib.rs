//! Traces as data: reads and writes them, draws them, compares them with expected ones, verifies that they are
//! complete, and explains what went wrong in them.
//!
//! A trace may come from OpenTelemetry or Jaeger. Nothing here depends on the system that produced it.
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
