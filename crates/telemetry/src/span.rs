//! What every instrument does with a span.

use opentelemetry::Value;
use opentelemetry::trace::Status;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

/// Target of the spans that become OpenTelemetry spans; those of libraries have their own and do not.
pub(crate) const TARGET: &str = "otel";

/// Marks the span as failed. `error_type` is one of few: a code, a class, never a message.
pub(crate) fn fail(span: &Span, error_type: impl Into<Value>) {
    span.set_attribute("error.type", error_type);
    span.set_status(Status::error(""));
}

/// Ends the story of a span whose future is dropped before it is done: the caller has left, a
/// deadline has passed, or a panic is unwinding.
pub(crate) struct Unfinished(Option<Span>);

impl Unfinished {
    pub(crate) fn new(span: &Span) -> Self {
        Self(Some(span.clone()))
    }

    pub(crate) fn finished(mut self) {
        self.0 = None;
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        let Some(span) = self.0.take() else { return };
        if std::thread::panicking() {
            fail(&span, "panic");
        } else {
            fail(&span, "cancelled");
        }
        // A span ends at its last exit, and this one was last entered when it was polled.
        span.in_scope(|| ());
    }
}
