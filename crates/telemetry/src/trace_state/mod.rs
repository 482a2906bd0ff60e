//! What `tracestate` and the flags of a trace say, and by which probability a trace was kept.

mod list;
mod packed;
mod probability;
mod threshold;

use opentelemetry::trace::{SpanContext, TraceFlags, TraceState};

pub(crate) use list::parse;
pub(crate) use packed::{KNOWN_FLAGS, packed, packed_threshold, unpacked};
pub(crate) use probability::{inherited, randomness, with_threshold};
pub(crate) use threshold::{Randomness, Threshold};

/// The flag of a trace id whose last seven bytes are random. A service that begins a trace with a random id sets it. A
/// service that continues a trace sends the flag on unchanged.
pub(crate) const RANDOM: TraceFlags = TraceFlags::new(0x02);

/// `tracestate` of a place as text, empty if there is none.
pub(crate) fn text(span: &SpanContext) -> String {
    match packed_threshold(span) {
        Some(threshold) => format!("ot=th:{threshold}"),
        None => list::format(span.trace_state()),
    }
}

/// The same place in a trace without what other tracing systems have added.
pub(crate) fn without_state(span: &SpanContext) -> SpanContext {
    let flags = span.trace_flags() & KNOWN_FLAGS;
    SpanContext::new(span.trace_id(), span.span_id(), flags, span.is_remote(), TraceState::NONE)
}

/// The place in a trace with a higher threshold, because traces below that were shed. `None` if its own threshold is
/// unknown or not lower.
pub(crate) fn raised(span: &SpanContext, threshold: Threshold) -> Option<SpanContext> {
    let before = packed_threshold(span).or_else(|| probability::threshold(span.trace_state()))?;
    if before >= threshold {
        return None;
    }
    let flags = span.trace_flags() & KNOWN_FLAGS;
    let state = with_threshold(span.trace_state(), Some(threshold));
    Some(packed(SpanContext::new(span.trace_id(), span.span_id(), flags, span.is_remote(), state)))
}

/// The place in a trace that is kept after all. Its probability is unknown, so it has no threshold.
pub(crate) fn kept(span: &SpanContext) -> SpanContext {
    let flags = span.trace_flags() & KNOWN_FLAGS | TraceFlags::SAMPLED;
    let state = with_threshold(span.trace_state(), None);
    SpanContext::new(span.trace_id(), span.span_id(), flags, span.is_remote(), state)
}

#[cfg(test)]
pub(crate) mod tests;
