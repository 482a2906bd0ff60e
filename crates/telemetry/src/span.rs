//! What every instrument does with a span.

use opentelemetry::Value;
use opentelemetry::trace::Status;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::Registry;
use tracing_subscriber::registry::LookupSpan;

/// Target of the spans that become OpenTelemetry spans; those of libraries have their own and do not.
pub(crate) const TARGET: &str = "otel";

/// Marks the span as failed. `error_type` is one of few: a code, a class, never a message.
///
/// The first failure is the cause and stays: a panic that is answered with a 500 is a panic.
pub(crate) fn fail(span: &Span, error_type: impl Into<Value>) {
    if is_first_failure(span) {
        span.set_attribute("error.type", error_type);
        span.set_status(Status::error(""));
    }
}

/// Marks the work the caller is in as failed. `error_type` is a constant of the code: what went wrong
/// in words belongs to the log.
pub fn fail_current(error_type: &'static str) {
    fail(&Span::current(), error_type);
}

/// Whether the span had not failed until now. An attribute that is set twice would be there twice.
fn is_first_failure(span: &Span) -> bool {
    struct Failed;
    let first = span.with_subscriber(|(id, subscriber)| {
        let span = subscriber.downcast_ref::<Registry>()?.span(id)?;
        let before = span.extensions_mut().replace(Failed);
        Some(before.is_none())
    });
    first.flatten().unwrap_or(false)
}

/// Ends the story of a span whose work is dropped before it is done: the caller has left, a deadline
/// has passed, or a panic is unwinding.
pub(crate) fn abandon(span: &Span) {
    fail(span, if std::thread::panicking() { "panic" } else { "cancelled" });
    end_now(span);
}

/// Moves the span's end to now: a span ends at its last exit, which was when its work was last polled.
pub(crate) fn end_now(span: &Span) {
    span.in_scope(|| ());
}

/// Abandons its span unless it is told that the work is done.
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
        if let Some(span) = self.0.take() {
            abandon(&span);
        }
    }
}
