//! A span as received, in plain types.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1 as otlp;
use serde_json::{Value, json};

/// Attributes by name.
pub type Attributes = BTreeMap<String, Value>;

/// What a span stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Internal,
    Server,
    Client,
    Producer,
    Consumer,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Internal => "INTERNAL",
            Self::Server => "SERVER",
            Self::Client => "CLIENT",
            Self::Producer => "PRODUCER",
            Self::Consumer => "CONSUMER",
        })
    }
}

/// How a span ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Status {
    Unset,
    Ok,
    /// With its description, which may be empty.
    Error(String),
}

impl Status {
    pub fn is_error(&self) -> bool {
        matches!(self, Self::Error(_))
    }
}

/// Something that happened within a span.
#[derive(Debug, Clone)]
pub struct Event {
    pub name: String,
    pub attributes: Attributes,
}

/// A span of another trace that this one belongs with.
#[derive(Debug, Clone)]
pub struct Link {
    pub trace_id: String,
    pub span_id: String,
    pub attributes: Attributes,
}

/// A finished span. Ids are lower-case hexadecimal.
#[derive(Debug, Clone)]
pub struct Span {
    pub trace_id: String,
    pub span_id: String,
    pub parent_span_id: Option<String>,
    /// Resource attribute `service.name`.
    pub service: String,
    pub name: String,
    pub kind: Kind,
    pub status: Status,
    /// Nanoseconds since the Unix epoch.
    pub start: u64,
    /// Nanoseconds since the Unix epoch.
    pub end: u64,
    pub attributes: Attributes,
    pub events: Vec<Event>,
    pub links: Vec<Link>,
    pub resource: Attributes,
}

impl Span {
    pub fn duration(&self) -> Duration {
        Duration::from_nanos(self.end.saturating_sub(self.start))
    }

    /// A text attribute; `None` when it is absent or of another type.
    pub fn text(&self, attribute: &str) -> Option<&str> {
        self.attributes.get(attribute)?.as_str()
    }

    /// A whole-number attribute; `None` when it is absent or of another type.
    pub fn int(&self, attribute: &str) -> Option<i64> {
        self.attributes.get(attribute)?.as_i64()
    }

    /// Every text in the span that somebody could read: names, attributes, events, links, status.
    /// For tests that look for what must not be there.
    pub fn everything(&self) -> String {
        let Self { service, name, status, attributes, events, links, resource, .. } = self;
        format!("{service:?} {name:?} {status:?} {attributes:?} {events:?} {links:?} {resource:?}")
    }
}

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

fn convert(span: otlp::Span, service: &str, resource: &Attributes) -> Span {
    let kind = match span.kind() {
        otlp::span::SpanKind::Server => Kind::Server,
        otlp::span::SpanKind::Client => Kind::Client,
        otlp::span::SpanKind::Producer => Kind::Producer,
        otlp::span::SpanKind::Consumer => Kind::Consumer,
        otlp::span::SpanKind::Internal | otlp::span::SpanKind::Unspecified => Kind::Internal,
    };
    let event = |event: otlp::span::Event| Event { name: event.name, attributes: attributes(event.attributes) };
    let link = |link: otlp::span::Link| Link {
        trace_id: hex(&link.trace_id),
        span_id: hex(&link.span_id),
        attributes: attributes(link.attributes),
    };
    Span {
        trace_id: hex(&span.trace_id),
        span_id: hex(&span.span_id),
        parent_span_id: (!span.parent_span_id.is_empty()).then(|| hex(&span.parent_span_id)),
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
    }
}

fn status(status: otlp::Status) -> Status {
    match status.code() {
        otlp::status::StatusCode::Unset => Status::Unset,
        otlp::status::StatusCode::Ok => Status::Ok,
        otlp::status::StatusCode::Error => Status::Error(status.message),
    }
}

pub(crate) fn attributes(pairs: Vec<KeyValue>) -> Attributes {
    pairs.into_iter().map(|pair| (pair.key, pair.value.map_or(Value::Null, value))).collect()
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
        Some(Any::BytesValue(bytes)) => Value::String(hex(&bytes)),
        Some(Any::StringValueStrindex(index)) => json!(index),
    }
}

fn hex(bytes: &[u8]) -> String {
    use fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
