//! Thresholds by number. The SDK copies `tracestate` with every span, each time with several allocations, and most traces
//! have nothing in it but the threshold they were kept by. The few thresholds that a process sees have numbers, which
//! travel in those bits of a trace's flags that nothing else uses within a process and that never leave it.

use std::sync::atomic::{AtomicU64, Ordering};

use opentelemetry::trace::{SpanContext, TraceFlags, TraceState};

use super::probability;
use super::threshold::Threshold;

/// The flags that others know: sampled and random.
pub(crate) const KNOWN_FLAGS: TraceFlags = TraceFlags::new(0x03);

/// Where the number begins; zero is none.
const SHIFT: u8 = 2;

/// The numbered thresholds, each plus one; zero is a free place. Thresholds without a place are not packed.
static NUMBERED: [AtomicU64; 63] = [const { AtomicU64::new(0) }; 63];

/// The same place with its threshold as a number, if its `tracestate` has nothing else and the threshold fits the
/// sampling decision.
pub(crate) fn packed(span: SpanContext) -> SpanContext {
    match probability::lone_threshold(&span).and_then(number) {
        None => span,
        Some(number) => place(&span, span.trace_flags() & KNOWN_FLAGS | number, TraceState::NONE),
    }
}

/// The threshold that is packed in a place.
pub(crate) fn packed_threshold(span: &SpanContext) -> Option<Threshold> {
    let number = usize::from(span.trace_flags().to_u8() >> SHIFT);
    let stored = NUMBERED.get(number.checked_sub(1)?)?.load(Ordering::Relaxed);
    stored.checked_sub(1).map(Threshold::from_bits)
}

/// The same place with its threshold in `tracestate`.
pub(crate) fn unpacked(span: &SpanContext) -> SpanContext {
    let state = match packed_threshold(span) {
        None => span.trace_state().clone(),
        threshold => probability::with_threshold(&TraceState::NONE, threshold),
    };
    place(span, span.trace_flags() & KNOWN_FLAGS, state)
}

fn place(span: &SpanContext, flags: TraceFlags, state: TraceState) -> SpanContext {
    SpanContext::new(span.trace_id(), span.span_id(), flags, span.is_remote(), state)
}

fn number(threshold: Threshold) -> Option<TraceFlags> {
    let stored = threshold.bits() + 1;
    let found = (1..).zip(&NUMBERED).find(|(_, place)| {
        let before = place.compare_exchange(0, stored, Ordering::Relaxed, Ordering::Relaxed);
        before.is_ok() || before == Err(stored)
    });
    found.map(|(number, _): (u8, _)| TraceFlags::new(number << SHIFT))
}
