use opentelemetry::KeyValue;
use opentelemetry::trace::SpanKind;

use crate::span::Span;
use crate::telemetry::here;

/// Runs a check as an INTERNAL span named `name` with one event per broken rule, which carries the
/// rule's id as `attribute` and nothing else. A broken rule is an answer, not a failure: the span's status stays unset.
///
/// `rule_id` gives the id: a constant of the code, never made of input.
pub fn checked<R>(
    name: &'static str,
    attribute: &'static str,
    rule_id: impl Fn(&R) -> &'static str,
    check: impl FnOnce() -> Vec<R>,
) -> Vec<R> {
    let (telemetry, parent) = here();
    let span = Span::start(&telemetry.0, parent, SpanKind::Internal, || name, Vec::new);
    let broken = span.within(check);
    for rule in &broken {
        span.event("broken rule", vec![KeyValue::new(attribute, rule_id(rule))]);
    }
    span.end();
    broken
}
