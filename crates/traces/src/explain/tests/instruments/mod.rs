//! The attributes that instrumentation libraries write, in two generations: the current one, as in our own telemetry
//! crate and in new SDKs, and the previous one, as in otelgrpc, otelhttp, go-zero and the Java agent.

mod calls;
mod servers;
mod storage;

use fastrand::Rng;
use serde_json::{Value, json};

use super::plan::{Fault, Micros, Outcome};
use crate::{Attributes, Kind, Span, Status};

/// How an operation ended, and its fault.
#[derive(Debug, Clone, Copy)]
pub(super) struct Answer {
    pub(super) outcome: Outcome,
    pub(super) fault: Option<Fault>,
}

/// The place of a span in the trace.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'p> {
    pub(super) service: usize,
    pub(super) id: &'p str,
    pub(super) parent: Option<&'p str>,
    pub(super) start: Micros,
    pub(super) end: Micros,
}

pub(super) struct Instruments<'r> {
    rng: &'r mut Rng,
    is_new: bool,
    services: Vec<String>,
    /// The skew of each service's clock.
    skew: Vec<Micros>,
    spans: Vec<Span>,
    ids: u64,
}

impl<'r> Instruments<'r> {
    pub(super) fn new(rng: &'r mut Rng, is_new: bool, services: Vec<String>, skew: Vec<Micros>) -> Self {
        Self { rng, is_new, services, skew, spans: Vec::new(), ids: 0 }
    }

    pub(super) fn id(&mut self) -> String {
        self.ids += 1;
        format!("{:016x}", self.ids)
    }

    pub(super) fn take(&mut self) -> Vec<Span> {
        std::mem::take(&mut self.spans)
    }

    pub(super) fn count(&self) -> usize {
        self.spans.len()
    }

    /// Simulates a killed process: the spans that the service has written since `since` are lost.
    pub(super) fn lose(&mut self, since: usize, service: usize) {
        let (lost, mut place) = (self.services[service].clone(), 0);
        self.spans.retain(|span| {
            place += 1;
            place <= since || span.service != lost
        });
    }

    fn span(&mut self, place: Place<'_>, kind: Kind, name: &str, attributes: Value) -> &mut Span {
        const BEGIN: u64 = 1_700_000_000_000_000_000;
        let service = self.services.get(place.service).map_or("app", String::as_str);
        let skew = self.skew.get(place.service).copied().unwrap_or(0);
        let nanos = |time: Micros| BEGIN.saturating_add_signed((time + skew) * 1_000);
        let Value::Object(attributes) = attributes else { unreachable!("attributes are an object") };
        let resource = [("service.name", service.to_owned()), ("host.name", format!("{service}-0"))];
        self.spans.push(Span {
            trace_id: "5b8efff798038103d269b633813fc60c".to_owned(),
            span_id: place.id.to_owned(),
            parent_span_id: place.parent.map(ToOwned::to_owned),
            service: service.to_owned(),
            name: name.to_owned(),
            kind,
            start: nanos(place.start),
            end: nanos(place.end),
            attributes: attributes.into_iter().filter(|(_, value)| !value.is_null()).collect(),
            resource: Attributes::from(resource.map(|(key, value)| (key.to_owned(), json!(value)))),
            ..Span::default()
        });
        let last = self.spans.len() - 1;
        &mut self.spans[last]
    }

    /// Marks a span as failed. Older libraries add a text.
    fn fail(&mut self, words: &str) {
        let words = if self.is_new { "" } else { words };
        if let Some(span) = self.spans.last_mut() {
            span.status = Status::Error(words.to_owned());
        }
    }
}

/// The code of an RPC, as a number and as a name.
fn code(outcome: Outcome) -> (i64, &'static str) {
    const REFUSALS: [(i64, &str); 6] = [
        (3, "INVALID_ARGUMENT"),
        (16, "UNAUTHENTICATED"),
        (7, "PERMISSION_DENIED"),
        (5, "NOT_FOUND"),
        (6, "ALREADY_EXISTS"),
        (9, "FAILED_PRECONDITION"),
    ];
    match outcome {
        Outcome::Well => (0, "OK"),
        Outcome::Cancelled => (1, "CANCELLED"),
        Outcome::Deadline => (4, "DEADLINE_EXCEEDED"),
        Outcome::Exhausted => (8, "RESOURCE_EXHAUSTED"),
        Outcome::Internal => (13, "INTERNAL"),
        Outcome::Unavailable => (14, "UNAVAILABLE"),
        Outcome::Refused(kind) => REFUSALS[kind as usize % REFUSALS.len()],
    }
}

/// The HTTP status of an answer; 0 if there was none.
fn status(outcome: Outcome) -> u16 {
    const REFUSALS: [u16; 6] = [400, 401, 403, 404, 409, 422];
    match outcome {
        Outcome::Well => 200,
        Outcome::Deadline => 504,
        Outcome::Cancelled => 499,
        Outcome::Unavailable => 503,
        Outcome::Exhausted => 429,
        Outcome::Internal => 500,
        Outcome::Refused(kind) => REFUSALS[kind as usize % REFUSALS.len()],
    }
}
