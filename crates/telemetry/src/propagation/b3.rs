//! [B3](https://github.com/openzipkin/b3-propagation), Zipkin's formats: one header or several.

use ::http::{HeaderMap, HeaderName};
use opentelemetry::trace::{SpanContext, TraceFlags, TraceState};

use super::{hex, put, remote, single};

const B3: HeaderName = HeaderName::from_static("b3");
const TRACE_ID: HeaderName = HeaderName::from_static("x-b3-traceid");
const SPAN_ID: HeaderName = HeaderName::from_static("x-b3-spanid");
const SAMPLED: HeaderName = HeaderName::from_static("x-b3-sampled");
const FLAGS: HeaderName = HeaderName::from_static("x-b3-flags");

/// Reads the single header, or else the several: OpenTelemetry's specification has both propagators read both.
pub(super) fn extract(headers: &HeaderMap) -> Option<SpanContext> {
    single(headers, &B3).map_or_else(|| of_several(headers), of_one)
}

/// `{trace id}-{span id}[-{state}[-{parent}]]`, or the state alone, which names no trace.
fn of_one(value: &[u8]) -> Option<SpanContext> {
    let mut parts = value.split(|byte| *byte == b'-');
    let (trace_id, span_id, state) = (parts.next()?, parts.next()?, parts.next());
    if let Some(parent) = parts.next() {
        hex::exactly(16, parent)?;
    }
    if parts.next().is_some() {
        return None;
    }
    let sampled = match state {
        None | Some(b"0") => false,
        Some(b"1" | b"d") => true,
        Some(_) => return None,
    };
    place(trace_id, span_id, sampled)
}

fn of_several(headers: &HeaderMap) -> Option<SpanContext> {
    // "Debug implies an accept decision". Early versions wrote the decision as a boolean.
    let sampled = single(headers, &FLAGS) == Some(b"1")
        || single(headers, &SAMPLED).is_some_and(|value| value == b"1" || value.eq_ignore_ascii_case(b"true"));
    place(single(headers, &TRACE_ID)?, single(headers, &SPAN_ID)?, sampled)
}

/// A trace id may have 16 digits. A caller that has not decided on sampling counts as not sampled, because
/// OpenTelemetry has no flag for that.
fn place(trace_id: &[u8], span_id: &[u8], sampled: bool) -> Option<SpanContext> {
    let trace_id = hex::exactly(32, trace_id).or_else(|| hex::exactly(16, trace_id))?;
    let span_id = u64::try_from(hex::exactly(16, span_id)?).ok()?;
    remote(trace_id, span_id, TraceFlags::default().with_sampled(sampled), TraceState::NONE)
}

pub(super) fn inject(span: &SpanContext, headers: &mut HeaderMap) {
    let value = format!("{}-{}-{}", span.trace_id(), span.span_id(), state(span));
    put(headers, &B3, value.as_bytes());
}

pub(super) fn inject_multi(span: &SpanContext, headers: &mut HeaderMap) {
    put(headers, &TRACE_ID, span.trace_id().to_string().as_bytes());
    put(headers, &SPAN_ID, span.span_id().to_string().as_bytes());
    put(headers, &SAMPLED, state(span).as_bytes());
    put(headers, &FLAGS, b"");
}

fn state(span: &SpanContext) -> &'static str {
    if span.is_sampled() { "1" } else { "0" }
}
