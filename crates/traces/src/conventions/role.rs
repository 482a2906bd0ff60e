//! The kind of work of a span.

use super::words;
use crate::{Kind, Span};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Role {
    Http,
    Rpc,
    Database,
    Smtp,
    Messaging,
    /// A wait for a connection of a pool.
    Pool,
    /// A wait in a queue, for a permit or for a lock inside the program.
    Queue,
    /// A call of an unknown kind.
    Call,
    /// A part of the service's own work.
    Own,
}

const POOL_ATTRIBUTES: [&str; 2] = ["db.client.connection.", "db.client.connections."];
const POOL_NAMES: [&str; 11] = [
    "acquire connection",
    "acquire_connection",
    "get connection",
    "getconnection",
    "wait for connection",
    "connection pool",
    "connection.acquire",
    "pool.acquire",
    "pool acquire",
    "pool wait",
    "pg-pool.connect",
];
const QUEUE_NAMES: [&str; 10] =
    ["queue", "queued", "enqueue", "waiting", "wait", "semaphore", "permit", "throttle", "backpressure", "admission"];
const STATEMENTS: [&str; 4] = ["sql.method", "redis.cmds", "mongo.cmd", "sql.query"];

impl Role {
    pub(super) fn of(span: &Span) -> Self {
        let has = |beginning: &str| {
            span.attributes.range(beginning.to_owned()..).next().is_some_and(|(key, _)| key.starts_with(beginning))
        };
        let name = span.name.to_lowercase();
        let is_named = |known: &[&str]| known.iter().any(|part| name.contains(part));
        let is_pool = POOL_ATTRIBUTES.iter().any(|key| has(key)) || is_named(&POOL_NAMES);
        if is_pool && matches!(span.kind, Kind::Internal | Kind::Client) {
            return Self::Pool;
        }
        if has("db.") || STATEMENTS.iter().any(|key| has(key)) {
            return Self::Database;
        }
        if is_mail(span, &name) {
            return Self::Smtp;
        }
        if matches!(span.kind, Kind::Producer | Kind::Consumer) || has("messaging.") {
            return Self::Messaging;
        }
        if has("rpc.") || has("grpc.") {
            return Self::Rpc;
        }
        if has("http.") || has("url.") {
            return Self::Http;
        }
        match span.kind {
            Kind::Client => Self::Call,
            Kind::Internal if QUEUE_NAMES.iter().any(|word| words::has_word(&name, word)) => Self::Queue,
            _ => Self::Own,
        }
    }

    /// The noun for a failed dependency of this kind.
    pub(crate) fn noun(self) -> &'static str {
        match self {
            Self::Http => "HTTP service",
            Self::Rpc => "RPC service",
            Self::Database | Self::Pool => "database",
            Self::Smtp => "mail server",
            Self::Messaging => "message broker",
            Self::Queue | Self::Call | Self::Own => "service",
        }
    }
}

fn is_mail(span: &Span, name: &str) -> bool {
    let is_smtp = |key| span.text(key).is_some_and(|text: &str| text.eq_ignore_ascii_case("smtp"));
    let port = span.int("server.port").or_else(|| span.int("net.peer.port"));
    is_smtp("network.protocol.name")
        || is_smtp("net.protocol.name")
        || span.kind == Kind::Client
            && (words::has_word(name, "smtp") || port.is_some_and(|port| [25, 465, 587].contains(&port)))
}
