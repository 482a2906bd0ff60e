//! Spans as [OTLP](https://github.com/open-telemetry/opentelemetry-proto) messages, written straight into one buffer.
//!
//! Field numbers are those of `opentelemetry/proto/trace/v1/trace.proto`.

use std::io::Write;
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use opentelemetry::trace::{Event, Link, SpanContext, SpanId, SpanKind, Status};
use opentelemetry::{Array, InstrumentationScope, KeyValue, StringValue, Value};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SpanData;
use prost::encoding::{WireType, encode_key, encode_varint};

use crate::trace_state::{self, KNOWN_FLAGS, RANDOM, packed_threshold};

/// Encodes the spans of one process.
pub(super) struct Encoder {
    /// The field `resource` of a `ResourceSpans`.
    resource: Vec<u8>,
    resource_schema: String,
    text: Text,
    /// The length of the last request in bytes, as an estimate for the next one.
    length: usize,
}

impl Encoder {
    /// Texts of attributes are cut after `value_length` characters.
    pub(super) fn new(resource: &Resource, value_length: Option<usize>) -> Self {
        let text = Text { longest: value_length };
        let mut encoded = Vec::new();
        message(&mut encoded, 1, |buffer| {
            for (key, value) in resource {
                Text { longest: None }.attribute(buffer, 1, key.as_str(), value);
            }
        });
        let resource_schema = resource.schema_url().unwrap_or_default().to_owned();
        Self { resource: encoded, resource_schema, text, length: 0 }
    }

    /// An `ExportTraceServiceRequest`.
    pub(super) fn request(&mut self, spans: &[SpanData]) -> Bytes {
        let mut scopes: Vec<&InstrumentationScope> = Vec::new();
        for span in spans {
            if !scopes.contains(&&span.instrumentation_scope) {
                scopes.push(&span.instrumentation_scope);
            }
        }
        let mut request = Vec::with_capacity(self.length + self.length / 8);
        message(&mut request, 1, |buffer| {
            buffer.extend_from_slice(&self.resource);
            for scope in scopes {
                message(buffer, 2, |buffer| self.scope(buffer, scope, spans));
            }
            text(buffer, 3, &self.resource_schema);
        });
        self.length = request.len();
        request.into()
    }

    fn scope(&self, buffer: &mut Vec<u8>, scope: &InstrumentationScope, spans: &[SpanData]) {
        message(buffer, 1, |buffer| {
            text(buffer, 1, scope.name());
            text(buffer, 2, scope.version().unwrap_or_default());
            self.text.attributes(buffer, 3, scope.attributes());
        });
        for span in spans.iter().filter(|span| span.instrumentation_scope == *scope) {
            message(buffer, 2, |buffer| self.span(buffer, span));
        }
        text(buffer, 3, scope.schema_url().unwrap_or_default());
    }

    fn span(&self, buffer: &mut Vec<u8>, span: &SpanData) {
        place(buffer, &span.span_context);
        if span.parent_span_id != SpanId::INVALID {
            bytes(buffer, 4, &span.parent_span_id.to_bytes());
        }
        text(buffer, 5, &span.name);
        number(buffer, 6, kind(&span.span_kind));
        fixed64(buffer, 7, nanoseconds(span.start_time));
        fixed64(buffer, 8, nanoseconds(span.end_time));
        self.text.attributes(buffer, 9, span.attributes.iter());
        number(buffer, 10, span.dropped_attributes_count.into());
        for event in &span.events.events {
            message(buffer, 11, |buffer| self.event(buffer, event));
        }
        number(buffer, 12, span.events.dropped_count.into());
        for link in &span.links.links {
            message(buffer, 13, |buffer| self.link(buffer, link));
        }
        number(buffer, 14, span.links.dropped_count.into());
        message(buffer, 15, |buffer| status(buffer, &span.status));
        let known = flags(&span.span_context, span.parent_span_is_remote);
        // The SDK does not say that the ids it makes are random.
        let begins = span.parent_span_id == SpanId::INVALID;
        fixed32(buffer, 16, known | if begins { u32::from(RANDOM.to_u8()) } else { 0 });
    }

    fn event(&self, buffer: &mut Vec<u8>, event: &Event) {
        fixed64(buffer, 1, nanoseconds(event.timestamp));
        text(buffer, 2, &event.name);
        self.text.attributes(buffer, 3, event.attributes.iter());
        number(buffer, 4, event.dropped_attributes_count.into());
    }

    fn link(&self, buffer: &mut Vec<u8>, link: &Link) {
        place(buffer, &link.span_context);
        self.text.attributes(buffer, 4, link.attributes.iter());
        number(buffer, 5, link.dropped_attributes_count.into());
        fixed32(buffer, 6, flags(&link.span_context, link.span_context.is_remote()));
    }
}

/// How attributes are written.
#[derive(Clone, Copy)]
struct Text {
    longest: Option<usize>,
}

impl Text {
    fn attributes<'a>(self, buffer: &mut Vec<u8>, field: u32, attributes: impl Iterator<Item = &'a KeyValue>) {
        for pair in attributes {
            self.attribute(buffer, field, pair.key.as_str(), &pair.value);
        }
    }

    fn attribute(self, buffer: &mut Vec<u8>, field: u32, key: &str, value: &Value) {
        message(buffer, field, |buffer| {
            text(buffer, 1, key);
            message(buffer, 2, |buffer| self.any_value(buffer, value));
        });
    }

    /// A default value is written too: `AnyValue` is a `oneof`, which would be unset without it.
    fn any_value(self, buffer: &mut Vec<u8>, value: &Value) {
        match value {
            Value::String(value) => self.string(buffer, value),
            Value::Bool(value) => boolean(buffer, *value),
            Value::I64(value) => integer(buffer, *value),
            Value::F64(value) => double(buffer, *value),
            Value::Array(values) => message(buffer, 5, |buffer| self.array(buffer, values)),
            other => self.string(buffer, &StringValue::from(other.to_string())),
        }
    }

    fn string(self, buffer: &mut Vec<u8>, value: &StringValue) {
        let value = value.as_str();
        let end = self.longest.and_then(|longest| value.char_indices().nth(longest)).map(|(end, _)| end);
        bytes(buffer, 1, end.and_then(|end| value.get(..end)).unwrap_or(value).as_bytes());
    }

    fn array(self, buffer: &mut Vec<u8>, values: &Array) {
        match values {
            Array::Bool(values) => elements(buffer, values, |buffer, value| boolean(buffer, *value)),
            Array::I64(values) => elements(buffer, values, |buffer, value| integer(buffer, *value)),
            Array::F64(values) => elements(buffer, values, |buffer, value| double(buffer, *value)),
            Array::String(values) => elements(buffer, values, |buffer, value| self.string(buffer, value)),
            _ => {}
        }
    }
}

fn elements<T>(buffer: &mut Vec<u8>, values: &[T], write: impl Fn(&mut Vec<u8>, &T)) {
    for value in values {
        message(buffer, 1, |buffer| write(buffer, value));
    }
}

fn boolean(buffer: &mut Vec<u8>, value: bool) {
    encode_key(2, WireType::Varint, buffer);
    encode_varint(value.into(), buffer);
}

fn integer(buffer: &mut Vec<u8>, value: i64) {
    encode_key(3, WireType::Varint, buffer);
    encode_varint(value.cast_unsigned(), buffer);
}

fn double(buffer: &mut Vec<u8>, value: f64) {
    encode_key(4, WireType::SixtyFourBit, buffer);
    buffer.extend_from_slice(&value.to_le_bytes());
}

/// The first fields of a span and of a link.
fn place(buffer: &mut Vec<u8>, span: &SpanContext) {
    bytes(buffer, 1, &span.trace_id().to_bytes());
    bytes(buffer, 2, &span.span_id().to_bytes());
    match packed_threshold(span) {
        Some(threshold) => {
            let mut text = [0; 20];
            let mut rest = &mut text[..];
            // `text` has room for the longest threshold.
            let _ = write!(rest, "ot=th:{threshold}");
            let left = rest.len();
            bytes(buffer, 3, text.get(..text.len() - left).unwrap_or_default());
        }
        None => text(buffer, 3, &trace_state::text(span)),
    }
}

fn status(buffer: &mut Vec<u8>, status: &Status) {
    match status {
        Status::Unset => {}
        Status::Ok => number(buffer, 3, 1),
        Status::Error { description } => {
            text(buffer, 2, description);
            number(buffer, 3, 2);
        }
    }
}

/// `SpanFlags`: the flags of the trace, one bit for a parent in another process, and one that says that this is known.
fn flags(span: &SpanContext, is_remote: bool) -> u32 {
    const KNOWN: u32 = 0x100;
    const REMOTE: u32 = 0x200;
    u32::from((span.trace_flags() & KNOWN_FLAGS).to_u8()) | KNOWN | if is_remote { REMOTE } else { 0 }
}

fn kind(kind: &SpanKind) -> u64 {
    match kind {
        SpanKind::Internal => 1,
        SpanKind::Server => 2,
        SpanKind::Client => 3,
        SpanKind::Producer => 4,
        SpanKind::Consumer => 5,
    }
}

fn nanoseconds(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

fn text(buffer: &mut Vec<u8>, field: u32, value: &str) {
    if !value.is_empty() {
        bytes(buffer, field, value.as_bytes());
    }
}

fn bytes(buffer: &mut Vec<u8>, field: u32, value: &[u8]) {
    encode_key(field, WireType::LengthDelimited, buffer);
    encode_varint(value.len() as u64, buffer);
    buffer.extend_from_slice(value);
}

fn number(buffer: &mut Vec<u8>, field: u32, value: u64) {
    if value != 0 {
        encode_key(field, WireType::Varint, buffer);
        encode_varint(value, buffer);
    }
}

fn fixed64(buffer: &mut Vec<u8>, field: u32, value: u64) {
    encode_key(field, WireType::SixtyFourBit, buffer);
    buffer.extend_from_slice(&value.to_le_bytes());
}

fn fixed32(buffer: &mut Vec<u8>, field: u32, value: u32) {
    encode_key(field, WireType::ThirtyTwoBit, buffer);
    buffer.extend_from_slice(&value.to_le_bytes());
}

/// Writes a message whose length is known only afterwards. Four bytes are reserved for the length, which is enough for
/// 256 MiB: a varint may take more bytes than it needs (Protocol Buffers, "Base 128 Varints").
fn message(buffer: &mut Vec<u8>, field: u32, write: impl FnOnce(&mut Vec<u8>)) {
    encode_key(field, WireType::LengthDelimited, buffer);
    let at = buffer.len();
    buffer.extend_from_slice(&[0; 4]);
    write(buffer);
    let length = buffer.len() - at - 4;
    let digit = |shift: usize| u8::try_from(length >> shift & 0x7f).unwrap_or_default();
    let digits = [digit(0) | 0x80, digit(7) | 0x80, digit(14) | 0x80, digit(21)];
    if let Some(place) = buffer.get_mut(at..at + 4) {
        place.copy_from_slice(&digits);
    }
}
