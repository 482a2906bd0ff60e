use std::panic::{self, Location};

use opentelemetry::KeyValue;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

use crate::span::fail;

/// Makes a panic an exception event on the span it happens in, and a log line with its place in the
/// code. Its text goes nowhere: it may quote what a patient has typed.
pub(crate) fn install_hook() {
    panic::set_hook(Box::new(|info| report(info.location())));
}

pub(crate) fn report(place: Option<&Location<'_>>) {
    let span = Span::current();
    span.add_event("exception", vec![KeyValue::new("exception.type", "panic")]);
    fail(&span, "panic");
    tracing::error!(place = place.map(tracing::field::display), "panic");
}
