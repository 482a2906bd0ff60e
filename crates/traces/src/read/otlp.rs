//! OTLP as protobuf types and as JSON.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1 as otlp;
use serde_json::{Value, json};

use crate::{Attributes, Event, Kind, Link, Span, Status};

/// The lowest eight bits of a span's flags are the trace flags, and the lowest bit means sampled. Exporters that do not
/// know the flags send 0 too.
pub(crate) const SAMPLED: u32 = 0x01;
/// Set by exporters that know the flags: it is known whether the parent is remote.
pub(crate) const HAS_IS_REMOTE: u32 = 0x100;

/// The spans of one export request.
pub fn spans(request: ExportTraceServiceRequest) -> Vec<Span> {
    let mut spans = Vec::new();
    for group in request.resource_spans {
        let resource = attributes(group.resource.map(|resource| resource.attributes).unwrap_or_default());
        let service = resource.get("service.name").and_then(Value::as_str).unwrap_or("unknown").to_owned();
        for span in group.scope_spans.into_iter().flat_map(|scope| scope.spans) {
            spans.push(convert(span, &service, &resource));
        }
    }
    spans
}

/// Converts OTLP attributes.
pub fn attributes(pairs: Vec<KeyValue>) -> Attributes {
    pairs.into_iter().map(|pair| (pair.key, pair.value.map_or(Value::Null, value))).collect()
}

/// The spans of one request in OTLP's JSON encoding.
pub(super) fn from_json(mut request: Value) -> Result<Vec<Span>, serde_json::Error> {
    for span in spans_of(&mut request) {
        number(span.get_mut("kind"), &KINDS);
        number(span.get_mut("status").and_then(|status| status.get_mut("code")), &CODES);
    }
    serde_json::from_value(request).map(spans)
}

/// In protobuf's JSON an enumeration value may be its name. Each list is ordered by number.
const KINDS: [&str; 6] = [
    "SPAN_KIND_UNSPECIFIED",
    "SPAN_KIND_INTERNAL",
    "SPAN_KIND_SERVER",
    "SPAN_KIND_CLIENT",
    "SPAN_KIND_PRODUCER",
    "SPAN_KIND_CONSUMER",
];
const CODES: [&str; 3] = ["STATUS_CODE_UNSET", "STATUS_CODE_OK", "STATUS_CODE_ERROR"];

fn number(value: Option<&mut Value>, names: &[&str]) {
    if let Some(value) = value
        && let Some(number) = value.as_str().and_then(|text| names.iter().position(|name| *name == text))
    {
        *value = json!(number);
    }
}

fn spans_of(request: &mut Value) -> impl Iterator<Item = &mut Value> {
    let groups = request.get_mut("resourceSpans").and_then(Value::as_array_mut).into_iter().flatten();
    let scopes = groups.filter_map(|group| group.get_mut("scopeSpans")?.as_array_mut()).flatten();
    scopes.filter_map(|scope| scope.get_mut("spans")?.as_array_mut()).flatten()
}

fn convert(span: otlp::Span, service: &str, resource: &Attributes) -> Span {
    let kind = match span.kind() {
        otlp::span::SpanKind::Server => Kind::Server,
        otlp::span::SpanKind::Client => Kind::Client,
        otlp::span::SpanKind::Producer => Kind::Producer,
        otlp::span::SpanKind::Consumer => Kind::Consumer,
        otlp::span::SpanKind::Internal | otlp::span::SpanKind::Unspecified => Kind::Internal,
    };
    let event = |event: otlp::span::Event| Event {
        name: event.name,
        time: event.time_unix_nano,
        attributes: attributes(event.attributes),
    };
    let link = |link: otlp::span::Link| Link {
        trace_id: hex::encode(&link.trace_id),
        span_id: hex::encode(&link.span_id),
        attributes: attributes(link.attributes),
    };
    let has_parent = span.parent_span_id.iter().any(|byte| *byte != 0);
    Span {
        trace_id: hex::encode(&span.trace_id),
        span_id: hex::encode(&span.span_id),
        parent_span_id: has_parent.then(|| hex::encode(&span.parent_span_id)),
        trace_state: span.trace_state,
        follows: false,
        service: service.to_owned(),
        name: span.name,
        kind,
        status: span.status.map_or(Status::Unset, status),
        start: span.start_time_unix_nano,
        end: span.end_time_unix_nano,
        attributes: attributes(span.attributes),
        events: span.events.into_iter().map(event).collect(),
        links: span.links.into_iter().map(link).collect(),
        resource: resource.clone(),
        sampled: (span.flags & (SAMPLED | HAS_IS_REMOTE) != 0).then_some(span.flags & SAMPLED != 0),
        warnings: Vec::new(),
    }
}

fn status(status: otlp::Status) -> Status {
    match status.code() {
        otlp::status::StatusCode::Unset => Status::Unset,
        otlp::status::StatusCode::Ok => Status::Ok,
        otlp::status::StatusCode::Error => Status::Error(status.message),
    }
}

fn value(any: AnyValue) -> Value {
    match any.value {
        None => Value::Null,
        Some(Any::StringValue(text)) => Value::String(text),
        Some(Any::BoolValue(flag)) => Value::Bool(flag),
        Some(Any::IntValue(number)) => json!(number),
        Some(Any::DoubleValue(number)) => json!(number),
        Some(Any::ArrayValue(array)) => Value::Array(array.values.into_iter().map(value).collect()),
        Some(Any::KvlistValue(list)) => Value::Object(attributes(list.values).into_iter().collect()),
        Some(Any::BytesValue(bytes)) => Value::String(hex::encode(&bytes)),
        Some(Any::StringValueStrindex(index)) => json!(index),
    }
}
