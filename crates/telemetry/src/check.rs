use tracing::info_span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

use crate::span::TARGET;

/// What a broken rule may show of itself.
pub trait BrokenRule {
    /// The rule's id: a constant of the code, never made of input.
    fn rule(&self) -> &'static str;
}

/// Runs a check as an INTERNAL span named `name` with one event per broken rule, which carries the
/// rule's id and nothing else. A broken rule is an answer, not a failure: the span's status stays unset.
pub fn checked<R: BrokenRule>(name: &'static str, check: impl FnOnce() -> Vec<R>) -> Vec<R> {
    let span = info_span!(target: TARGET, "check", otel.name = name, otel.kind = "internal");
    // The events come before the exit, which is the span's end.
    span.in_scope(|| {
        let broken = check();
        for rule in &broken {
            span.add_event("broken rule", vec![opentelemetry::KeyValue::new("rule.id", rule.rule())]);
        }
        broken
    })
}
