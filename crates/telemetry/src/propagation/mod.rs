//! How a trace's context travels on the wire, and whose is believed.

mod interim;
mod trust;

use serde::Deserialize;

pub(crate) use interim::{Admitted, Propagators, parse, traceresponse};
pub use trust::{Boundary, Continuation, Egress, Incoming, Trust};

/// A format of the context on the wire, by its name in `OTEL_PROPAGATORS`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Propagator {
    /// W3C Trace Context: `traceparent` and `tracestate`.
    TraceContext,
    /// W3C Baggage.
    Baggage,
    /// Zipkin's, in one header.
    B3,
    /// Zipkin's, in several headers.
    B3Multi,
    /// Jaeger's `uber-trace-id`.
    Jaeger,
}
