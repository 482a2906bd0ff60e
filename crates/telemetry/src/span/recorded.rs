//! A span of the SDK, with what the SDK does not keep.

use std::borrow::Cow;
use std::time::SystemTime;

use opentelemetry::KeyValue;
use opentelemetry::trace::{self, SpanContext, Status};
use opentelemetry_sdk::trace as sdk;

use crate::conventions::ERROR_TYPE;
use crate::export::Processor;

/// An SDK span that keeps its first failure, and the flags of its trace.
#[derive(Debug)]
pub(super) struct Recorded {
    pub(super) span: sdk::Span,
    /// The span context, if the SDK's own one lacks flags of the trace.
    pub(super) place: Option<SpanContext>,
    /// Where the spans of its trace wait, if the trace is undecided.
    pub(super) undecided: Option<Processor>,
    pub(super) failed: bool,
}

impl trace::Span for Recorded {
    fn add_event_with_timestamp<T>(&mut self, name: T, timestamp: SystemTime, attributes: Vec<KeyValue>)
    where
        T: Into<Cow<'static, str>>,
    {
        self.span.add_event_with_timestamp(name, timestamp, attributes);
    }

    fn span_context(&self) -> &SpanContext {
        self.place.as_ref().unwrap_or_else(|| self.span.span_context())
    }

    fn is_recording(&self) -> bool {
        self.span.is_recording()
    }

    fn set_attribute(&mut self, attribute: KeyValue) {
        if !(self.failed && attribute.key.as_str() == ERROR_TYPE) {
            self.span.set_attribute(attribute);
        }
    }

    fn set_status(&mut self, status: Status) {
        if matches!(status, Status::Error { .. }) {
            self.failed = true;
            // Now and not at the end of the span, so that services that are called until then learn that the trace is
            // kept.
            if let Some(processor) = self.undecided.take() {
                processor.keep(self.span.span_context().trace_id());
            }
        }
        self.span.set_status(status);
    }

    fn update_name<T>(&mut self, name: T)
    where
        T: Into<Cow<'static, str>>,
    {
        self.span.update_name(name);
    }

    fn add_link(&mut self, span_context: SpanContext, attributes: Vec<KeyValue>) {
        self.span.add_link(span_context, attributes);
    }

    fn end_with_timestamp(&mut self, timestamp: SystemTime) {
        self.span.end_with_timestamp(timestamp);
    }
}
