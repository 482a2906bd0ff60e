use opentelemetry_sdk::trace::SpanData;

/// Writes one line for a span, for people.
pub(super) fn print(span: &SpanData) {
    let micros = span.end_time.duration_since(span.start_time).map_or(0, |duration| duration.as_micros());
    println!(
        "span {} {} parent={} {:?} {} {micros}us {:?}",
        span.span_context.trace_id(),
        span.span_context.span_id(),
        span.parent_span_id,
        span.span_kind,
        span.name,
        span.status,
    );
}
