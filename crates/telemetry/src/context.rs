use std::fmt;
use std::str::FromStr;

use opentelemetry::trace::{SpanContext, TraceContextExt};
use opentelemetry::{Context, trace};

use crate::Telemetry;
use crate::propagation::{self, Traceparent};
use crate::trace_state;

/// A place in a trace, as the texts of W3C `traceparent` and `tracestate`: stored beside work that runs later,
/// so that the work joins the trace it belongs to, whichever process picks it up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceContext(pub(crate) SpanContext);

impl TraceContext {
    /// The caller's place in its trace; all zeroes outside of any trace.
    pub fn current() -> Self {
        let place = Context::map_current(|context| context.span().span_context().clone());
        match Telemetry::current() {
            Some(telemetry) if !place.is_sampled() => Self(telemetry.0.as_kept(&place).into_owned()),
            _ => Self(place),
        }
    }

    /// Reads the text of a [`TraceContext`] and that of its [`TraceContext::trace_state`]. An invalid `tracestate` is
    /// left out, as the standard says.
    ///
    /// # Errors
    /// When the first text is not a valid `traceparent`.
    pub fn parse(traceparent: &str, tracestate: &str) -> Result<Self, InvalidTraceContext> {
        propagation::parse(traceparent, tracestate).map(Self).ok_or(InvalidTraceContext)
    }

    /// The id that finds the trace in the back end and its lines in the logs.
    pub fn trace_id(&self) -> TraceId {
        TraceId(self.0.trace_id())
    }

    /// The text of `tracestate`: what tracing systems on the way have added. Mostly empty.
    pub fn trace_state(&self) -> String {
        trace_state::text(&self.0)
    }
}

/// Adds a link from the current span to a place in a trace.
pub fn link_current(to: &TraceContext) {
    if to.0.is_valid() {
        Context::map_current(|context| context.span().add_link(to.0.clone(), Vec::new()));
    }
}

/// The text of `traceparent`.
impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Traceparent::of(&self.0).fmt(f)
    }
}

/// The text is not a valid W3C `traceparent`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a W3C traceparent")]
pub struct InvalidTraceContext;

/// Reads a `traceparent` alone.
impl FromStr for TraceContext {
    type Err = InvalidTraceContext;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text, "")
    }
}

/// 32 lower-case hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TraceId(trace::TraceId);

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
