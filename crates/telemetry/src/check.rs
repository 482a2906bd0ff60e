use opentelemetry::KeyValue;
use opentelemetry::trace::SpanKind;

use crate::span::Span;
use crate::telemetry::here;

/// What a broken rule may show of itself.
pub trait BrokenRule {
    /// The attribute of the event that holds the rule's id.
    const ATTRIBUTE: &'static str;

    /// The rule's id: a constant of the code, never made of input.
    fn rule(&self) -> &'static str;
}

/// Runs a check as an INTERNAL span named `name` with one event per broken rule, which carries the
/// rule's id and nothing else. A broken rule is an answer, not a failure: the span's status stays unset.
pub fn checked<R: BrokenRule>(name: &'static str, check: impl FnOnce() -> Vec<R>) -> Vec<R> {
    let (telemetry, parent) = here();
    let span = Span::start(&telemetry.0, parent, SpanKind::Internal, || name, Vec::new);
    let broken = span.within(check);
    for rule in &broken {
        span.event("broken rule", vec![KeyValue::new(R::ATTRIBUTE, rule.rule())]);
    }
    span.end();
    broken
}
