use std::fmt;

use serde::{Serialize, Serializer};
use tracing::Event;
use tracing::field::{Field, Visit};

/// Name of the field that holds an event's message.
pub(super) const MESSAGE: &str = "message";

/// Written in place of a value, or of its rest, when formatting it fails.
const UNSHOWN: &str = "(cannot be shown)";

/// A value of an event's field.
#[derive(Clone, Copy)]
pub(super) enum Value<'a> {
    Text(&'a str),
    Signed(i64),
    Unsigned(u64),
    Float(f64),
    Truth(bool),
    Shown(&'a dyn fmt::Debug),
}

impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(value) => f.write_str(value),
            Self::Signed(value) => value.fmt(f),
            Self::Unsigned(value) => value.fmt(f),
            Self::Float(value) => value.fmt(f),
            Self::Truth(value) => value.fmt(f),
            // What was written before the failure stays.
            Self::Shown(value) => value.fmt(f).or_else(|_| f.write_str(UNSHOWN)),
        }
    }
}

impl Serialize for Value<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(value) => serializer.serialize_str(value),
            Self::Signed(value) => serializer.serialize_i64(*value),
            Self::Unsigned(value) => serializer.serialize_u64(*value),
            Self::Float(value) => serializer.serialize_f64(*value),
            Self::Truth(value) => serializer.serialize_bool(*value),
            Self::Shown(_) => serializer.collect_str(self),
        }
    }
}

/// Calls `each` with the event's message, then with its other fields.
pub(super) fn message_first(event: &Event<'_>, mut each: impl FnMut(&Field, Value<'_>)) {
    event.record(&mut Visitor(|field: &Field, value: Value<'_>| {
        if field.name() == MESSAGE {
            each(field, value);
        }
    }));
    event.record(&mut Visitor(|field: &Field, value: Value<'_>| {
        if field.name() != MESSAGE {
            each(field, value);
        }
    }));
}

struct Visitor<F>(F);

impl<F: FnMut(&Field, Value<'_>)> Visit for Visitor<F> {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0(field, Value::Text(value));
    }
    fn record_i64(&mut self, field: &Field, value: i64) {
        self.0(field, Value::Signed(value));
    }
    fn record_u64(&mut self, field: &Field, value: u64) {
        self.0(field, Value::Unsigned(value));
    }
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.0(field, Value::Float(value));
    }
    fn record_bool(&mut self, field: &Field, value: bool) {
        self.0(field, Value::Truth(value));
    }
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0(field, Value::Shown(value));
    }
}
