//! A span as received, with plain types.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde_json::Value;

/// Attributes by name.
pub type Attributes = BTreeMap<String, Value>;

/// The kind of a span.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    #[default]
    Internal,
    Server,
    Client,
    Producer,
    Consumer,
}

impl Kind {
    pub(crate) const ALL: [Self; 5] = [Self::Internal, Self::Server, Self::Client, Self::Producer, Self::Consumer];

    /// The name in the specification, such as `SERVER`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Internal => "INTERNAL",
            Self::Server => "SERVER",
            Self::Client => "CLIENT",
            Self::Producer => "PRODUCER",
            Self::Consumer => "CONSUMER",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// How a span ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Status {
    #[default]
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

/// An event of a span.
#[derive(Debug, Clone, Default)]
pub struct Event {
    pub name: String,
    /// Nanoseconds since the Unix epoch.
    pub time: u64,
    pub attributes: Attributes,
}

/// A link to a span of another trace.
#[derive(Debug, Clone, Default)]
pub struct Link {
    pub trace_id: String,
    pub span_id: String,
    pub attributes: Attributes,
}

/// A finished span. Ids are lower-case hexadecimal.
#[derive(Debug, Clone, Default)]
pub struct Span {
    pub trace_id: String,
    pub span_id: String,
    pub parent_span_id: Option<String>,
    /// The `tracestate` of its context. Empty when there is none, and for spans from Jaeger.
    pub trace_state: String,
    /// Whether it only follows from its parent, which does not wait for it: Jaeger's `FOLLOWS_FROM`.
    pub follows: bool,
    /// The resource attribute `service.name`.
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
    /// The trace's sampled flag, if it was recorded.
    pub sampled: Option<bool>,
    /// Warnings of the storage, such as one about clock skew.
    pub warnings: Vec<String>,
}

impl Span {
    /// Whether its parent is a span of an untrusted caller, which it also links to in the trace of that caller.
    pub(crate) fn is_adopted(&self) -> bool {
        let is_parent = |link: &Link| Some(&link.span_id) == self.parent_span_id.as_ref();
        self.links.iter().any(|link| is_parent(link) && link.trace_id != self.trace_id)
    }

    pub fn duration(&self) -> Duration {
        Duration::from_nanos(self.end.saturating_sub(self.start))
    }

    /// A string attribute; `None` when it is absent or of another type.
    pub fn text(&self, attribute: &str) -> Option<&str> {
        self.attributes.get(attribute)?.as_str()
    }

    /// An integer attribute; `None` when it is absent or of another type.
    pub fn int(&self, attribute: &str) -> Option<i64> {
        self.attributes.get(attribute)?.as_i64()
    }

    /// All texts of the span: names, attributes, events, links, status. For tests that check that something is absent.
    pub fn everything(&self) -> String {
        let Self { service, name, status, attributes, events, links, resource, .. } = self;
        format!("{service:?} {name:?} {status:?} {attributes:?} {events:?} {links:?} {resource:?}")
    }
}
