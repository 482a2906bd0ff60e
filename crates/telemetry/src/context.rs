use std::fmt;
use std::str::FromStr;

use ::http::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::propagation::{Extractor, Injector, TextMapPropagator};
use opentelemetry::trace::{SpanContext, TraceContextExt};
use opentelemetry::{Context, trace};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

/// A place in a trace, as W3C `traceparent` text: stored beside work that runs later, so that the
/// work joins the trace it belongs to, whichever process picks it up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceContext(SpanContext);

impl TraceContext {
    /// Where the caller is now. All zeroes outside any trace.
    pub fn current() -> Self {
        Self(Context::map_current(|context| context.span().span_context().clone()))
    }

    /// The id that finds the trace in the back end and its lines in the logs.
    pub fn trace_id(&self) -> TraceId {
        TraceId(self.0.trace_id())
    }

    pub(crate) fn as_parent(&self) -> Context {
        Context::new().with_remote_span_context(self.0.clone())
    }
}

impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let flags = self.0.trace_flags().to_u8();
        write!(f, "00-{}-{}-{flags:02x}", self.0.trace_id(), self.0.span_id())
    }
}

/// Text that is no W3C `traceparent`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a W3C traceparent")]
pub struct InvalidTraceContext;

impl FromStr for TraceContext {
    type Err = InvalidTraceContext;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        struct Traceparent<'a>(&'a str);
        impl Extractor for Traceparent<'_> {
            fn get(&self, key: &str) -> Option<&str> {
                (key == "traceparent").then_some(self.0)
            }
            fn keys(&self) -> Vec<&str> {
                vec!["traceparent"]
            }
        }
        let context = TraceContextPropagator::new().extract_with_context(&Context::new(), &Traceparent(text));
        let span_context = context.span().span_context().clone();
        if span_context.is_valid() { Ok(Self(span_context)) } else { Err(InvalidTraceContext) }
    }
}

/// 32 lower-case hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TraceId(trace::TraceId);

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Makes the trace of an incoming request's headers the span's parent, or a link when it is not trusted.
///
/// Only `traceparent` is read. What else may come with it, `tracestate` and baggage, is text of the
/// sender's choice: it would end up on every span of the trace and travel on to every service.
pub(crate) fn adopt(span: &Span, headers: &HeaderMap, trust: bool) {
    let traceparent = headers.get("traceparent").and_then(|value| value.to_str().ok());
    let Some(Ok(remote)) = traceparent.map(str::parse::<TraceContext>) else { return };
    if trust {
        set_parent(span, remote.as_parent());
    } else {
        link(span, remote);
    }
}

/// Points from a span to a place in another trace.
pub(crate) fn link(span: &Span, origin: TraceContext) {
    span.add_link(origin.0);
}

/// Sets the parent of a span that was created a moment ago and never entered.
pub(crate) fn set_parent(span: &Span, parent: Context) {
    if let Err(error) = span.set_parent(parent) {
        // Nothing listens (tracing is off), or the span had started: a defect of this crate.
        tracing::debug!(%error, "span keeps its own parent");
    }
}

/// Writes the span's place in its trace into the headers of an outgoing request.
pub(crate) fn inject(span: &Span, headers: &mut HeaderMap) {
    struct Headers<'a>(&'a mut HeaderMap);
    impl Injector for Headers<'_> {
        fn set(&mut self, key: &str, value: String) {
            if let (Ok(name), Ok(value)) = (HeaderName::from_str(key), HeaderValue::from_str(&value)) {
                self.0.insert(name, value);
            }
        }
    }
    TraceContextPropagator::new().inject_context(&span.context(), &mut Headers(headers));
}

/// The place of a span, as far as it has one.
pub(crate) fn of(span: &Span) -> TraceContext {
    TraceContext(span.context().span().span_context().clone())
}
