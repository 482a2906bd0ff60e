use std::borrow::Cow;
use std::io::Write;
use std::time::SystemTime;

use opentelemetry::trace::SpanContext;
use serde::Serialize;
use tracing::Level;
use tracing::field::{Field, FieldSet};

use super::value::Value;

/// Keys that every line has. An event's own field of such a name gets an underscore at its end.
const OWN: [&str; 7] = ["timestamp", "level", "service", "target", "trace_id", "span_id", "sampled"];

/// One JSON object a line.
#[derive(Debug)]
pub(crate) struct Json {
    /// The service's name in quotes.
    service: String,
}

impl Json {
    pub(super) fn new(service: &str) -> Self {
        Self { service: serde_json::Value::from(service).to_string() }
    }

    pub(super) fn begin(&self, line: &mut Vec<u8>, time: SystemTime, level: Level, target: &str) {
        line.extend_from_slice(b"{\"timestamp\":\"");
        // Writing to memory cannot fail.
        let _ = write!(line, "{}", humantime::format_rfc3339_micros(time));
        line.extend_from_slice(b"\",\"level\":\"");
        line.extend_from_slice(level.as_str().as_bytes());
        line.extend_from_slice(b"\",\"service\":");
        line.extend_from_slice(self.service.as_bytes());
        line.extend_from_slice(b",\"target\":");
        put(line, target);
    }

    pub(super) fn trace(line: &mut Vec<u8>, span: &SpanContext) {
        line.extend_from_slice(b",\"trace_id\":\"");
        hex(line, &span.trace_id().to_bytes());
        line.extend_from_slice(b"\",\"span_id\":\"");
        hex(line, &span.span_id().to_bytes());
        line.extend_from_slice(b"\",\"sampled\":");
        put(line, &span.is_sampled());
    }

    /// Adds a field of an event that has `fields`. If two fields have the same key, only the last one is written.
    pub(super) fn field(line: &mut Vec<u8>, fields: &FieldSet, field: &Field, value: Value<'_>) {
        let mut later = fields.iter().skip(field.index() + 1);
        if !later.any(|later| have_same_key(field.name(), later.name())) {
            Self::pair(line, &key(field.name()), value);
        }
    }

    pub(super) fn pair(line: &mut Vec<u8>, key: &str, value: Value<'_>) {
        line.push(b',');
        put(line, key);
        line.push(b':');
        put(line, &value);
    }

    pub(super) fn end(line: &mut Vec<u8>) {
        line.extend_from_slice(b"}\n");
    }
}

/// The key of a field.
fn key(name: &str) -> Cow<'_, str> {
    if OWN.contains(&name) { format!("{name}_").into() } else { name.into() }
}

/// Whether two fields would have the same [`key`], without making it.
fn have_same_key(one: &str, other: &str) -> bool {
    let is_key_of = |key: &str, own: &str| key.strip_suffix('_') == Some(own) && OWN.contains(&own);
    one == other || is_key_of(one, other) || is_key_of(other, one)
}

fn put(line: &mut Vec<u8>, value: &(impl Serialize + ?Sized)) {
    // Writing to memory cannot fail, and every value here can be serialized.
    let _ = serde_json::to_writer(line, value);
}

fn hex(line: &mut Vec<u8>, bytes: &[u8]) {
    let end = line.len();
    line.resize(end + 2 * bytes.len(), b'0');
    // The line was extended by exactly this length.
    let _ = hex::encode_to_slice(bytes, &mut line[end..]);
}
