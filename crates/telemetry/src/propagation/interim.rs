use http::HeaderMap;
use opentelemetry::baggage::Baggage;
use opentelemetry::trace::SpanContext;

use super::{Boundary, Continuation, Trust};

pub(crate) struct Remote {
    pub(crate) span: Option<SpanContext>,
    pub(crate) baggage: Baggage,
}

#[derive(Debug, Default)]
pub(crate) struct Propagators;

pub(crate) struct Admitted {
    pub(crate) parent: Option<SpanContext>,
    pub(crate) link: Option<SpanContext>,
    pub(crate) baggage: Baggage,
}

pub(crate) fn parse(traceparent: &str, _tracestate: &str) -> Option<SpanContext> {
    use opentelemetry::propagation::TextMapPropagator;
    use opentelemetry::trace::TraceContextExt;
    let map = std::collections::HashMap::from([("traceparent".to_owned(), traceparent.to_owned())]);
    let context = opentelemetry_sdk::propagation::TraceContextPropagator::new()
        .extract_with_context(&opentelemetry::Context::new(), &map);
    let span = context.span().span_context().clone();
    span.is_valid().then_some(span)
}

impl Propagators {
    pub(crate) fn extract(&self, headers: &HeaderMap) -> Remote {
        let span = headers.get("traceparent").and_then(|v| v.to_str().ok()).and_then(|v| parse(v, ""));
        Remote { span, baggage: Baggage::new() }
    }
    pub(crate) fn inject(&self, span: &SpanContext, _: &Baggage, headers: &mut HeaderMap) {
        if span.is_valid() {
            let text = format!("00-{}-{}-{:02x}", span.trace_id(), span.span_id(), span.trace_flags().to_u8());
            headers.insert("traceparent", text.parse().unwrap());
        }
    }
}

pub(crate) fn traceresponse(span: &SpanContext) -> String {
    format!("00-{}-{}-{:02x}", span.trace_id(), span.span_id(), span.trace_flags().to_u8())
}

fn copied(baggage: &Baggage) -> Baggage {
    baggage
        .iter()
        .map(|(key, (value, metadata))| (key.clone(), value.clone(), metadata.clone()))
        .map(|(k, v, _)| opentelemetry::KeyValue::new(k, v))
        .collect()
}

impl Trust {
    pub(crate) fn admit(&self, boundary: Boundary, remote: Remote) -> Admitted {
        let row = if boundary == Boundary::Ingress { &self.ingress } else { &self.mesh };
        let (parent, link) = match row.trace {
            Continuation::Continue => (remote.span, None),
            Continuation::Link => (None, remote.span),
            Continuation::Ignore => (None, None),
        };
        Admitted { parent, link, baggage: remote.baggage }
    }
    pub(crate) fn release(
        &self,
        boundary: Boundary,
        span: &SpanContext,
        baggage: &Baggage,
    ) -> Option<(SpanContext, Baggage)> {
        (boundary == Boundary::Mesh || self.egress.trace).then(|| (span.clone(), copied(baggage)))
    }
}
