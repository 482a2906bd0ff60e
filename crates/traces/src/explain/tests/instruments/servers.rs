//! The spans of servers and of their internal work.

use serde_json::json;

use super::{Answer, Instruments, Place, code, status};
use crate::explain::tests::plan::{Fault, Op, Outcome, What};
use crate::{Attributes, Event, Kind, Status};

impl Instruments<'_> {
    pub(in crate::explain::tests) fn http_server(&mut self, place: Place<'_>, name: &str, answer: Answer) {
        let Answer { outcome, fault } = answer;
        let is_left = outcome == Outcome::Cancelled;
        let status = match outcome {
            // The body of the request did not arrive.
            Outcome::Deadline if fault == Some(Fault::Slow(0)) => 408,
            // Some servers answer that the deadline was exceeded, others that they are unavailable.
            Outcome::Deadline if self.rng.bool() => 503,
            outcome => status(outcome),
        };
        let says_when = fault == Some(Fault::Exhausted) && self.rng.bool();
        let error = if is_left { Some("cancelled".to_owned()) } else { (status >= 500).then(|| status.to_string()) };
        let attributes = if self.is_new {
            json!({"http.request.method": "POST", "url.scheme": "http", "http.route": "/things",
                   "http.response.status_code": (!is_left).then_some(status),
                   "http.response.header.retry-after": says_when.then(|| json!(["2"])), "error.type": error})
        } else {
            json!({"http.method": "POST", "http.scheme": "http", "http.target": "/things", "http.status_code": status})
        };
        self.span(place, Kind::Server, name, attributes);
        if status >= 500 || is_left {
            self.fail("");
        }
        self.defect(fault);
    }

    pub(in crate::explain::tests) fn server(&mut self, place: Place<'_>, op: &Op, answer: Answer) {
        let What::Call { rpc, method, .. } = op.what else { unreachable!("it is a call") };
        if !rpc {
            return self.http_server(place, method, answer);
        }
        let (number, code) = code(answer.outcome);
        let is_error = matches!(number, 2 | 4 | 12 | 13 | 14 | 15);
        let error = is_error.then_some(code);
        let attributes = if self.is_new {
            json!({"rpc.system.name": "grpc", "rpc.method": method, "rpc.status_code": code, "error.type": error})
        } else {
            json!({"rpc.system": "grpc", "rpc.method": method, "rpc.grpc.status_code": number})
        };
        self.span(place, Kind::Server, method, attributes);
        if is_error {
            self.fail(code);
        }
        self.defect(answer.fault);
    }

    /// A panic or an exception on the last span. Often there is no event for it.
    fn defect(&mut self, fault: Option<Fault>) {
        let (kind, words) = match fault {
            Some(Fault::Panic) if self.is_new => ("panic", ""),
            Some(Fault::Panic) => ("*errors.errorString", "runtime error: invalid memory address or nil pointer"),
            Some(Fault::Fail(kind)) if kind % 2 == 0 => ("java.lang.IllegalStateException", "cart is null"),
            _ => return,
        };
        let Some(span) = self.spans.last_mut() else { return };
        if kind == "panic" {
            span.attributes.insert("error.type".to_owned(), json!("panic"));
        }
        span.status = Status::Error(words.to_owned());
        let attributes = [("exception.type", kind), ("exception.message", words)];
        let told = attributes.into_iter().filter(|(_, text)| !text.is_empty());
        let attributes: Attributes = told.map(|(key, text)| (key.to_owned(), json!(text))).collect();
        span.events.push(Event { name: "exception".to_owned(), time: span.end, attributes });
    }

    pub(in crate::explain::tests) fn internal(&mut self, place: Place<'_>, name: &str, answer: Answer) {
        let is_new = self.is_new;
        let span = self.span(place, Kind::Internal, name, json!({}));
        if answer.fault.is_some() {
            span.status = Status::Error(String::new());
            self.defect(answer.fault);
        } else if answer.outcome != Outcome::Well && is_new {
            span.attributes.insert("error.type".to_owned(), json!("cancelled"));
            span.status = Status::Error(String::new());
        }
    }

    pub(in crate::explain::tests) fn producer(&mut self, place: Place<'_>) {
        let attributes = json!({"messaging.system": "kafka", "messaging.destination.name": "things"});
        self.span(place, Kind::Producer, "things publish", attributes);
    }

    pub(in crate::explain::tests) fn consumer(&mut self, place: Place<'_>, outcome: Outcome) {
        let attributes = json!({"messaging.system": "kafka", "messaging.destination.name": "things"});
        // Some handlers set the error status, others do not.
        let says = !self.is_new || self.rng.bool();
        self.span(place, Kind::Consumer, "things process", attributes);
        if outcome != Outcome::Well && says {
            self.fail("");
        }
    }
}
