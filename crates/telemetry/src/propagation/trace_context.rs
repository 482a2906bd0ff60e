//! [W3C Trace Context](https://www.w3.org/TR/trace-context-2/), level 2: `traceparent`, with `tracestate` beside it.

use std::fmt;
use std::iter;

use ::http::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::trace::{SpanContext, TraceFlags, TraceId};

use super::{hex, put, remote, single};
use crate::trace_state::{self, KNOWN_FLAGS, packed};

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACERESPONSE: HeaderName = HeaderName::from_static("traceresponse");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// The length of version 00, and of the part of later versions that is known.
const LENGTH: usize = 55;

/// Reads the context of a request, if there is a valid one. An invalid `tracestate` counts as none.
pub(super) fn extract(headers: &HeaderMap) -> Option<SpanContext> {
    read(single(headers, &TRACEPARENT)?, headers.get_all(&TRACESTATE).iter().map(HeaderValue::as_bytes))
}

/// Writes the context of a valid span.
pub(super) fn inject(span: &SpanContext, headers: &mut HeaderMap) {
    put(headers, &TRACEPARENT, &Traceparent::of(span).0);
    put(headers, &TRACESTATE, trace_state::text(span).as_bytes());
}

/// Tells the caller the trace of its request, as `traceresponse` and as the metric `trace` of `Server-Timing`, which
/// scripts of a web page can read.
pub(crate) fn respond(span: &SpanContext, headers: &mut HeaderMap) {
    const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");
    if !span.is_valid() {
        return;
    }
    let place = Traceparent::of(span);
    put(headers, &TRACERESPONSE, &place.0);
    if let Ok(metric) = HeaderValue::try_from(format!("trace;desc={place}")) {
        // Appended, because the application may have metrics of its own there.
        headers.append(SERVER_TIMING, metric);
    }
}

/// Tells a caller of the same mesh that the trace is kept, in the headers or trailers of the answer.
pub(crate) fn respond_kept(span: &SpanContext, headers: &mut HeaderMap) {
    put(headers, &TRACERESPONSE, &Traceparent::of(span).0);
}

/// The trace that an answer says is kept.
pub(crate) fn kept_by(headers: &HeaderMap) -> Option<TraceId> {
    let place = read(single(headers, &TRACERESPONSE)?, iter::empty())?;
    place.is_sampled().then(|| place.trace_id())
}

/// Reads a context that was stored as text. An invalid or empty `tracestate` counts as none.
pub(crate) fn parse(traceparent: &str, tracestate: &str) -> Option<SpanContext> {
    read(traceparent.as_bytes(), iter::once(tracestate.as_bytes())).map(packed)
}

fn read<'a>(traceparent: &[u8], tracestate: impl Iterator<Item = &'a [u8]>) -> Option<SpanContext> {
    let (known, rest) = traceparent.split_first_chunk::<LENGTH>()?;
    let [v1, v0, b'-', known @ ..] = known else { return None };
    let (trace_id, known) = known.split_at(32);
    let [b'-', known @ ..] = known else { return None };
    let (span_id, known) = known.split_at(16);
    let [b'-', flags @ ..] = known else { return None };
    // Of a future version only the places of the ids and the sampled flag are known.
    let understood = match (hex::number(&[*v1, *v0])?, rest) {
        (0x00, []) => KNOWN_FLAGS,
        (0x01..=0xfe, [] | [b'-', ..]) => TraceFlags::SAMPLED,
        _ => return None,
    };
    let flags = TraceFlags::new(u8::try_from(hex::number(flags)?).ok()?) & understood;
    let span_id = u64::try_from(hex::number(span_id)?).ok()?;
    remote(hex::number(trace_id)?, span_id, flags, trace_state::parse(tracestate))
}

/// A context as the value of `traceparent`. Outside any trace it is all zeroes.
#[derive(Clone, Copy)]
pub(crate) struct Traceparent([u8; LENGTH]);

impl Traceparent {
    pub(crate) fn of(span: &SpanContext) -> Self {
        let mut text = *b"00-00000000000000000000000000000000-0000000000000000-00";
        let flags = span.trace_flags() & KNOWN_FLAGS;
        // Each slice is exactly as long as the digits written into it.
        let _ = ::hex::encode_to_slice(span.trace_id().to_bytes(), &mut text[3..35]);
        let _ = ::hex::encode_to_slice(span.span_id().to_bytes(), &mut text[36..52]);
        let _ = ::hex::encode_to_slice([flags.to_u8()], &mut text[53..]);
        Self(text)
    }
}

impl fmt::Display for Traceparent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(str::from_utf8(&self.0).unwrap_or_default())
    }
}
