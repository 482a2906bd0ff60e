mod packed;
mod probability;
mod threshold;

use opentelemetry::trace::{SpanContext, SpanId, TraceFlags, TraceId, TraceState};

use super::unpacked;

/// A place in a trace whose random bits are `low`, as a caller has sent it.
pub(crate) fn remote(low: u64, flags: TraceFlags, state: &str) -> SpanContext {
    let parent = format!("00-{:032x}-00000000000000aa-{:02x}", (1_u128 << 100) | u128::from(low), flags.to_u8());
    unpacked(&crate::propagation::parse(&parent, state).unwrap())
}

pub(crate) fn text(state: &TraceState) -> String {
    let span = SpanContext::new(TraceId::INVALID, SpanId::INVALID, TraceFlags::NOT_SAMPLED, false, state.clone());
    super::text(&span)
}
