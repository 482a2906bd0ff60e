//! [Jaeger's own format](https://www.jaegertracing.io/sdk-migration/#propagation-format): `uber-trace-id`.

use ::http::{HeaderMap, HeaderName};
use opentelemetry::trace::{SpanContext, TraceFlags, TraceState};

use super::{hex, put, remote, single};

const UBER_TRACE_ID: HeaderName = HeaderName::from_static("uber-trace-id");

/// `{trace id}:{span id}:{parent}:{flags}`, in hexadecimal without leading zeroes; the colons may be percent-encoded.
pub(super) fn extract(headers: &HeaderMap) -> Option<SpanContext> {
    let value = str::from_utf8(single(headers, &UBER_TRACE_ID)?).ok()?.replace("%3A", ":");
    let mut parts = value.split(':').map(str::as_bytes);
    let (trace_id, span_id, _, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() || span_id.len() > 16 || !(1..=2).contains(&flags.len()) {
        return None;
    }
    let sampled = hex::number(flags)? & 1 == 1;
    let span_id = u64::try_from(hex::number(span_id)?).ok()?;
    remote(hex::number(trace_id)?, span_id, TraceFlags::default().with_sampled(sampled), TraceState::NONE)
}

pub(super) fn inject(span: &SpanContext, headers: &mut HeaderMap) {
    let value = format!("{}:{}:0:{}", span.trace_id(), span.span_id(), u8::from(span.is_sampled()));
    put(headers, &UBER_TRACE_ID, value.as_bytes());
}
