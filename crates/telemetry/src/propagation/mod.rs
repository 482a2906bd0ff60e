//! Trace context on the wire, and which callers' context is trusted.

mod b3;
mod baggage;
mod hex;
mod jaeger;
mod keep;
mod trace_context;
mod trust;

use ::http::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::KeyValue;
use opentelemetry::baggage::Baggage;
use opentelemetry::trace::{SpanContext, TraceFlags, TraceState};
use serde::Deserialize;

pub use keep::KeepConfig;
pub(crate) use keep::{Keep, Kept};
pub(crate) use trace_context::{Traceparent, kept_by, parse, respond, respond_kept};
pub use trust::{Boundary, Continuation, Egress, Incoming, Trust};

/// A format of the context on the wire, by its name in `OTEL_PROPAGATORS`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Propagator {
    /// W3C Trace Context, level 2: `traceparent` and `tracestate`.
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

/// The formats a process reads and writes.
#[derive(Debug, Clone, Default)]
pub(crate) struct Propagators(Vec<Propagator>);

impl Propagators {
    /// All formats are written. When reading, the first valid one counts.
    pub(crate) fn new(formats: &[Propagator]) -> Self {
        Self(formats.to_vec())
    }

    /// The caller's place in its trace, if it is valid.
    pub(crate) fn extract(&self, headers: &HeaderMap) -> Option<SpanContext> {
        self.0.iter().find_map(|format| match format {
            Propagator::TraceContext => trace_context::extract(headers),
            Propagator::B3 | Propagator::B3Multi => b3::extract(headers),
            Propagator::Jaeger => jaeger::extract(headers),
            Propagator::Baggage => None,
        })
    }

    /// The members of the caller's baggage that have one of these keys.
    pub(crate) fn extract_baggage(&self, headers: &HeaderMap, keys: &[String]) -> Vec<KeyValue> {
        if keys.is_empty() || !self.0.contains(&Propagator::Baggage) {
            return Vec::new();
        }
        baggage::extract(headers, keys)
    }

    /// Writes a place in a trace, and replaces what the request already has in these formats.
    pub(crate) fn inject(&self, span: &SpanContext, headers: &mut HeaderMap) {
        for format in &self.0 {
            match format {
                Propagator::TraceContext => trace_context::inject(span, headers),
                Propagator::B3 => b3::inject(span, headers),
                Propagator::B3Multi => b3::inject_multi(span, headers),
                Propagator::Jaeger => jaeger::inject(span, headers),
                Propagator::Baggage => {}
            }
        }
    }

    /// Writes the members of the baggage that have one of these keys.
    pub(crate) fn inject_baggage(&self, baggage: &Baggage, keys: &[String], headers: &mut HeaderMap) {
        if self.0.contains(&Propagator::Baggage) {
            baggage::inject(baggage, keys, headers);
        }
    }
}

/// A caller's place in a trace, unless one of the ids is zero.
fn remote(trace_id: u128, span_id: u64, flags: TraceFlags, state: TraceState) -> Option<SpanContext> {
    let span = SpanContext::new(trace_id.into(), span_id.into(), flags, true, state);
    span.is_valid().then_some(span)
}

/// The value of a header that occurs once. If it occurs several times, none is trusted.
fn single<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h [u8]> {
    let mut values = headers.get_all(name).iter();
    let first = values.next()?;
    values.next().is_none().then(|| first.as_bytes().trim_ascii())
}

/// Sets a header in place of all that have its name; an empty value removes them.
fn put(headers: &mut HeaderMap, name: &HeaderName, value: &[u8]) {
    match HeaderValue::from_bytes(value) {
        Ok(value) if !value.is_empty() => drop(headers.insert(name, value)),
        _ => drop(headers.remove(name)),
    }
}

#[cfg(test)]
mod tests;
