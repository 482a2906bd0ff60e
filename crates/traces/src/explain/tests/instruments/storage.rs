//! The spans of connections and statements.

use serde_json::json;

use super::{Answer, Instruments, Place};
use crate::explain::tests::plan::{Fault, MS, Outcome};
use crate::{Event, Kind};

impl Instruments<'_> {
    pub(in crate::explain::tests) fn pool(&mut self, place: Place<'_>, answer: Answer) {
        let Answer { outcome, fault } = answer;
        let (error, words) = match (outcome, fault) {
            (Outcome::Well, _) => (None, ""),
            (Outcome::Unavailable, Some(Fault::Connect)) => {
                (Some("connect_timed_out"), "java.net.ConnectException: Connection refused")
            }
            (Outcome::Unavailable, _) => {
                (Some("pool_timed_out"), "HikariPool-1 - Connection is not available, request timed out after 5000ms.")
            }
            _ => (Some("cancelled"), "context canceled"),
        };
        let is_full = matches!(fault, Some(Fault::Wait(_)));
        let (count, pending) = if is_full { (20, self.rng.i32(0..9)) } else { (self.rng.i32(2..12), 0) };
        let (name, attributes) = if self.is_new {
            let attributes = json!({"db.client.connection.count": count, "db.client.connection.max": 20,
                                    "db.client.connection.pending_requests": pending, "error.type": error});
            ("acquire connection", attributes)
        } else {
            ("HikariDataSource.getConnection", json!({}))
        };
        let waits = self.is_new && place.end - place.start > MS;
        let span = self.span(place, Kind::Internal, name, attributes);
        if waits {
            let name = if is_full { "waiting for a connection in use" } else { "opening a connection" };
            span.events.push(Event { name: name.to_owned(), time: span.start, ..Event::default() });
        }
        if error.is_some() {
            self.fail(words);
        }
    }

    pub(in crate::explain::tests) fn statement(&mut self, place: Place<'_>, text: &str, answer: Answer) {
        let state = match answer.fault {
            Some(Fault::Lock(way)) => Some(["55P03", "40P01", "57014"][way as usize % 3]),
            Some(Fault::Fail(way)) => Some(["42P01", "XX000", "23514", "22003"][way as usize % 4]),
            _ => None,
        };
        let is_cut = answer.outcome != Outcome::Well && state.is_none();
        let verb = text.split(' ').next().unwrap_or_default();
        let attributes = if self.is_new {
            json!({"db.system.name": "postgresql", "db.query.summary": text, "db.operation.name": verb,
                   "server.address": "db", "db.response.status_code": state,
                   "error.type": state.or(is_cut.then_some("cancelled"))})
        } else {
            json!({"db.system": "postgresql", "db.statement": text, "db.operation": verb, "net.peer.name": "db"})
        };
        let words = match (state, answer.outcome) {
            (Some(state), _) => format!("ERROR: the statement failed (SQLSTATE {state})"),
            (None, Outcome::Cancelled) => "context canceled".to_owned(),
            _ => "context deadline exceeded".to_owned(),
        };
        self.span(place, Kind::Client, text, attributes);
        if state.is_some() || is_cut {
            self.fail(&words);
        }
    }
}
