//! Reads spans by OpenTelemetry's semantic conventions: the current ones and the previous generation, which most
//! systems still write. No other module knows the names of attributes.

mod class;
mod code;
mod role;
mod words;

use std::borrow::Cow;

use serde_json::Value;

pub(crate) use class::Class;
pub(crate) use code::Code;
pub(crate) use role::Role;
pub(crate) use words::{WAITS_FOR_CONNECTION, WAITS_FOR_LOCK};

use crate::{Attributes, Span};

const HTTP_STATUS: [&str; 2] = ["http.response.status_code", "http.status_code"];
const RETRY_AFTER: [&str; 2] = ["http.response.header.retry-after", "http.response.header.retry_after"];
const SQLSTATE: [&str; 3] = ["db.response.status_code", "db.postgresql.state", "db.sqlstate"];
const PEER_SERVICE: [&str; 2] = ["service.peer.name", "peer.service"];
const PEER: [&str; 9] = [
    "server.address",
    "net.peer.name",
    "network.peer.address",
    "net.sock.peer.name",
    "net.sock.peer.addr",
    "net.peer.ip",
    "peer.address",
    "http.host",
    "http.server_name",
];
const CONNECTIONS: [&str; 2] = ["db.client.connection.count", "db.client.connections.usage"];
const CONNECTIONS_MAX: [&str; 2] = ["db.client.connection.max", "db.client.connections.max"];
const PENDING: [&str; 2] = ["db.client.connection.pending_requests", "db.client.connections.pending_requests"];
const MESSAGE: [&str; 2] = ["messaging.message.id", "messaging.message_id"];
const STATEMENT: [&str; 4] = ["db.query.text", "db.statement", "db.query.summary", "sql.query"];

/// The attributes and events of a span, read once.
#[derive(Debug, Clone)]
pub(crate) struct Facts<'s> {
    pub(crate) role: Role,
    pub(crate) http: Option<u16>,
    pub(crate) code: Option<Code>,
    pub(crate) sqlstate: Option<String>,
    /// How the span failed, if it did.
    pub(crate) class: Option<Class>,
    /// Whether the span itself reports an error, and does not only carry a code that counts as a failure elsewhere.
    pub(crate) is_error: bool,
    span: &'s Span,
}

impl<'s> Facts<'s> {
    pub(crate) fn of(span: &'s Span) -> Self {
        let attributes = &span.attributes;
        let role = Role::of(span);
        let http = first(attributes, &HTTP_STATUS).and_then(|value| u16::try_from(whole(value)?).ok());
        let code = Code::of(attributes);
        let is_error = span.status.is_error() || attributes.get("error").is_some_and(is_true);
        let sqlstate = sqlstate(span, role);
        let mut facts = Self { role, http, code, sqlstate, class: None, is_error, span };
        facts.class = class::classify(&facts);
        facts
    }

    /// Whether it failed, not counting mistakes of its caller.
    pub(crate) fn failed(&self) -> bool {
        self.class.is_some_and(|class| class != Class::Refused)
    }

    pub(crate) fn is_database(&self) -> bool {
        self.role == Role::Database
    }

    pub(crate) fn error_type(&self) -> Option<&'s str> {
        self.span.text("error.type").filter(|text| !text.is_empty())
    }

    /// The type and the message of the last exception event. Either may be empty.
    pub(crate) fn exception(&self) -> Option<(&'s str, &'s str)> {
        let event = self.span.events.iter().rev().find(|event| event.name == "exception")?;
        let text = |key| event.attributes.get(key).and_then(Value::as_str).unwrap_or_default();
        Some((text("exception.type"), text("exception.message")))
    }

    pub(crate) fn retry_after(&self) -> Option<String> {
        first(&self.span.attributes, &RETRY_AFTER).map(|value| match value {
            Value::Array(list) => list.first().map_or_else(String::new, plain),
            value => plain(value),
        })
    }

    /// The pool's connections, its maximum, and the waiting requests, as far as the span has them.
    pub(crate) fn pool(&self) -> (Option<i64>, Option<i64>, Option<i64>) {
        let number = |keys: &[&str]| first(&self.span.attributes, keys).and_then(whole);
        (number(&CONNECTIONS), number(&CONNECTIONS_MAX), number(&PENDING))
    }

    /// Whether it is a statement that changes data, or a commit.
    pub(crate) fn writes(&self) -> bool {
        const VERBS: [&str; 7] = ["INSERT", "UPDATE", "DELETE", "COMMIT", "MERGE", "REPLACE", "UPSERT"];
        let text = first(&self.span.attributes, &STATEMENT).and_then(Value::as_str).unwrap_or(&self.span.name);
        let verb = text.split_whitespace().next().unwrap_or_default();
        self.is_database() && VERBS.iter().any(|known| known.eq_ignore_ascii_case(verb))
    }

    /// The message id.
    pub(crate) fn message(&self) -> Option<&'s str> {
        first(&self.span.attributes, &MESSAGE).and_then(Value::as_str)
    }

    /// Whether it rolls a transaction back.
    pub(crate) fn rolls_back(&self) -> bool {
        self.is_database() && self.span.name.to_ascii_uppercase().starts_with("ROLLBACK")
    }

    /// The result in the terms of its protocol: `504`, `UNAVAILABLE`, `55P03`, `pool_timed_out`.
    pub(crate) fn ending(&self) -> Cow<'s, str> {
        if let Some(sqlstate) = &self.sqlstate {
            return Cow::Owned(format!("SQLSTATE {sqlstate}"));
        }
        if let Some(kind) = self.error_type().filter(|kind| *kind != "_OTHER") {
            return Cow::Borrowed(kind);
        }
        if let Some(code) = self.code.filter(|code| *code != Code::Ok) {
            return Cow::Borrowed(code.name());
        }
        if let Some(status) = self.http {
            return Cow::Owned(format!("HTTP {status}"));
        }
        match self.exception() {
            Some((kind, _)) if !kind.is_empty() => Cow::Borrowed(kind),
            _ => Cow::Borrowed("an error"),
        }
    }

    /// Whether an event mentions one of these waits.
    pub(crate) fn waits_for(&self, words: &[&str]) -> bool {
        let events = self.span.events.iter().filter(|event| event.name != "exception");
        events.into_iter().any(|event| {
            let texts = event.attributes.values().filter_map(Value::as_str);
            texts.chain([&*event.name]).any(|text| words::contains(text, words))
        })
    }
}

/// The `service.name` of the callee, if the span has it.
pub(crate) fn peer_service(span: &Span) -> Option<&str> {
    first(&span.attributes, &PEER_SERVICE).and_then(Value::as_str)
}

/// The best name of the callee that the span has.
pub(crate) fn peer(span: &Span) -> Option<&str> {
    peer_service(span)
        .or_else(|| first(&span.attributes, &PEER).and_then(Value::as_str))
        .filter(|name| !name.is_empty())
}

/// Whether the times of both spans are from the same clock.
pub(crate) fn same_clock(one: &Span, other: &Span) -> bool {
    let both = |key: &str| Some((one.resource.get(key)?, other.resource.get(key)?));
    for key in ["host.id", "host.name", "host.ip", "service.instance.id", "k8s.pod.uid", "k8s.pod.name"] {
        if let Some((one, other)) = both(key) {
            return one == other;
        }
    }
    one.service == other.service
}

fn first<'a>(attributes: &'a Attributes, keys: &[&str]) -> Option<&'a Value> {
    keys.iter().find_map(|key| attributes.get(*key))
}

/// An integer, which some SDKs write as text.
fn whole(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_str()?.trim().parse().ok())
}

fn is_true(value: &Value) -> bool {
    value.as_bool() == Some(true) || value.as_str() == Some("true")
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned)
}

/// The SQLSTATE, from its attribute or from the text of an exception.
fn sqlstate(span: &Span, role: Role) -> Option<String> {
    let is_state = |text: &str| {
        text.len() == 5
            && text.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase())
            && text.bytes().any(|byte| byte.is_ascii_digit())
    };
    let attribute = first(&span.attributes, &SQLSTATE).or_else(|| span.attributes.get("error.type"));
    let found = attribute.and_then(Value::as_str).filter(|text| is_state(text));
    if role == Role::Database && found.is_some() {
        return found.map(ToOwned::to_owned);
    }
    words::of(span).find_map(|text| {
        let (_, rest) = text.split_once("SQLSTATE")?;
        let state: String =
            rest.chars().skip_while(|c| !c.is_ascii_alphanumeric()).take_while(char::is_ascii_alphanumeric).collect();
        is_state(&state).then_some(state)
    })
}

#[cfg(test)]
mod tests;
