//! Phrases of libraries for errors without an attribute: in status descriptions, exceptions and `error.type`.

use serde_json::Value;

use crate::{Span, Status};

/// A wait for a pool's connection that failed.
pub(super) const POOL: [&str; 10] = [
    "pool_timed_out",
    "pool timed out",
    "connection pool",
    "connectionpool",
    "queuepool limit",
    "hikaripool",
    "pool exhausted",
    "poolexhausted",
    "connection is not available, request timed out",
    "timed out waiting for a connection",
];
/// A server that accepts no more connections.
pub(super) const TOO_MANY_CONNECTIONS: [&str; 3] =
    ["too many connections", "too many clients", "remaining connection slots are reserved"];
pub(super) const LOCK: [&str; 8] = [
    "deadlock",
    "lock timeout",
    "lock wait timeout",
    "could not obtain lock",
    "could not serialize",
    "serialization failure",
    "lock_timeout",
    "lockacquisition",
];
pub(super) const CONNECT: [&str; 22] = [
    "connection refused",
    "econnrefused",
    "connectexception",
    "connecterror",
    "connect_timed_out",
    "connect timed out",
    "connect timeout",
    "connecttimeout",
    "no such host",
    "enotfound",
    "eai_again",
    "unknownhost",
    "name resolution",
    "dns error",
    "dial tcp",
    "failed to connect",
    "unable to connect",
    "network is unreachable",
    "no route to host",
    "ehostunreach",
    "certificate",
    "tls handshake",
];
/// Values of `error.type` that are sufficient alone.
pub(super) const CONNECT_TYPES: [&str; 5] =
    ["connect", "connection", "tls", "connection_error", "name_resolution_error"];
pub(super) const LOST: [&str; 14] = [
    "connection reset",
    "econnreset",
    "broken pipe",
    "epipe",
    "unexpected eof",
    "socket hang up",
    "connection closed",
    "server closed",
    "transport is closing",
    "goaway",
    "connection aborted",
    "code = unavailable",
    "remote end closed",
    "disconnected",
];
pub(super) const LOST_TYPES: [&str; 6] = ["io", "request", "connection_reset", "unavailable", "eof", "unanswered"];
pub(super) const TIMEOUT: [&str; 9] = [
    "timeout",
    "timed out",
    "timed_out",
    "deadline exceeded",
    "deadline_exceeded",
    "deadlineexceeded",
    "deadline has passed",
    "etimedout",
    "time limit",
];
pub(super) const CANCELLED: [&str; 5] =
    ["context canceled", "cancelled", "canceled", "client disconnected", "aborterror"];
pub(super) const EXHAUSTED: [&str; 8] = [
    "resource_exhausted",
    "resourceexhausted",
    "too many requests",
    "rate limit",
    "circuit breaker",
    "breaker is open",
    "overloaded",
    "quota exceeded",
];
pub(super) const PANIC: [&str; 4] = ["panic", "runtime error:", "nil pointer", "segmentation fault"];
/// In events of a span that waits for a lock.
pub(crate) const WAITS_FOR_LOCK: [&str; 4] = ["waiting for lock", "waiting for a lock", "lock wait", "acquiring lock"];
/// In events of a span that waits for a busy connection.
pub(crate) const WAITS_FOR_CONNECTION: [&str; 4] =
    ["waiting for a connection", "waiting for connection", "pool is full", "no idle connection"];

/// All texts of a span about its error.
pub(super) fn of(span: &Span) -> impl Iterator<Item = &str> {
    let description = match &span.status {
        Status::Error(description) => Some(description.as_str()),
        Status::Unset | Status::Ok => None,
    };
    let attributes = ["error.type", "error.message", "exception.type", "exception.message", "grpc.error_message"];
    let attributes = attributes.into_iter().filter_map(|key| span.text(key));
    let events = span.events.iter().filter(|event| matches!(&*event.name, "exception" | "error"));
    let events = events.flat_map(|event| {
        let keys = ["exception.type", "exception.message", "message", "error.object", "error"];
        keys.into_iter().filter_map(|key| event.attributes.get(key).and_then(Value::as_str))
    });
    description.into_iter().chain(attributes).chain(events).filter(|text| !text.is_empty())
}

/// Whether the text contains one of these phrases, in any case.
pub(super) fn contains(text: &str, words: &[&str]) -> bool {
    let text = text.to_lowercase();
    words.iter().any(|word| text.contains(word))
}

/// Whether a lower-case text contains this word.
pub(super) fn has_word(text: &str, word: &str) -> bool {
    text.split(|c: char| !c.is_alphanumeric()).any(|part| part == word)
}
