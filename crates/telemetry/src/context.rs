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
/// Only `traceparent` and `tracestate` are read: baggage from outside never travels inward.
pub(crate) fn adopt(span: &Span, headers: &HeaderMap, trust: bool) {
    struct Headers<'a>(&'a HeaderMap);
    impl Extractor for Headers<'_> {
        fn get(&self, key: &str) -> Option<&str> {
            self.0.get(key).and_then(|value| value.to_str().ok())
        }
        fn keys(&self) -> Vec<&str> {
            self.0.keys().map(HeaderName::as_str).collect()
        }
    }
    let context = TraceContextPropagator::new().extract_with_context(&Context::new(), &Headers(headers));
    let remote = context.span().span_context().clone();
    if !remote.is_valid() {
        return;
    }
    if trust {
        set_parent(span, context);
    } else {
        span.add_link(remote);
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_traceparent_survives_the_round_trip_through_text() -> Result<(), InvalidTraceContext> {
        let text = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let context: TraceContext = text.parse()?;
        assert_eq!(context.to_string(), text);
        assert_eq!(context.trace_id().to_string(), "0af7651916cd43dd8448eb211c80319c");
        Ok(())
    }

    #[test]
    fn text_that_is_no_traceparent_is_refused() {
        for text in ["", "00-0-0-00", "00-00000000000000000000000000000000-0000000000000000-01"] {
            assert_eq!(text.parse::<TraceContext>(), Err(InvalidTraceContext), "{text}");
        }
    }
}
