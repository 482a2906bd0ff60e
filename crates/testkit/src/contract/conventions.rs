//! Checks of the attributes and links of spans against the conventions.

use std::collections::BTreeSet;

use super::{attributes, submit_report};
use crate::trace::{Kind, Link, Span, Trace};

/// The kind of work of a span. Each has its own semantic conventions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Convention {
    HttpServer,
    HttpClient,
    Rpc,
    Database,
    Other,
}

pub(super) const RESOURCE: [&str; 4] =
    ["service.name", "service.version", "service.instance.id", "deployment.environment.name"];

/// Attribute names that the current conventions have replaced.
const REPLACED: [&str; 12] = [
    "http.method",
    "http.status_code",
    "http.target",
    "http.url",
    "net.peer.name",
    "net.peer.port",
    "rpc.system",
    "rpc.service",
    "rpc.grpc.status_code",
    "db.system",
    "db.statement",
    "db.operation",
];

/// All violations of the conventions in a span's attributes or resource. Empty when there are none.
pub fn check_attributes(trace: &Trace) -> Vec<String> {
    trace.spans.iter().flat_map(check_span).collect()
}

/// All violations of the contract in the trace of one submission. Empty when there are none.
pub fn check_submission(trace: &Trace, nurses: usize) -> Vec<String> {
    let mut violations: Vec<String> =
        trace.assert_shape(&submit_report(nurses)).err().iter().map(ToString::to_string).collect();
    let (roots, orphans) = (trace.roots().len(), trace.orphans().len());
    if (roots, orphans) != (1, 0) {
        violations.push(format!("the trace has {roots} roots and {orphans} orphans"));
    }
    violations.extend(trace.errors().iter().map(|span| format!("{} {} ended in an error", span.service, span.name)));
    violations.extend(check_links(trace));
    violations.extend(check_attributes(trace));
    violations
}

/// A delivery must have a link to the span that created its notifications.
fn check_links(trace: &Trace) -> Vec<String> {
    let created: Vec<_> = trace.spans.iter().filter(|span| span.name == "create notification").collect();
    let points_to = |delivery: &Span| {
        let created = |link: &Link| created.iter().any(|span| span.span_id == link.span_id);
        delivery.links.iter().any(created)
    };
    let deliveries = trace.spans.iter().filter(|span| span.kind == Kind::Consumer);
    let unlinked = deliveries.filter(|delivery| !points_to(delivery));
    unlinked
        .map(|span| format!("{} {} has no link to where its message was created", span.service, span.name))
        .collect()
}

/// All attribute keys in these traces that are neither OpenTelemetry's nor ours.
pub fn unknown_attributes(traces: &[Trace]) -> BTreeSet<String> {
    let spans = traces.iter().flat_map(|trace| &trace.spans);
    spans.flat_map(attributes::unknown).map(ToOwned::to_owned).collect()
}

pub(super) fn check_span(span: &Span) -> Vec<String> {
    let convention = convention(span);
    let missing = required(span, convention).into_iter().filter(|name| !span.attributes.contains_key(*name));
    let replaced = REPLACED.into_iter().filter(|name| span.attributes.contains_key(*name));
    let unidentified = RESOURCE.into_iter().filter(|name| !span.resource.contains_key(*name));
    let wrong = fixed_values(span, convention)
        .into_iter()
        .filter(|(name, value)| span.attributes.contains_key(*name) && span.text(name) != Some(value));
    missing
        .map(|name| format!("has no {name}"))
        .chain(replaced.map(|name| format!("uses the replaced {name}")))
        .chain(unidentified.map(|name| format!("has no resource attribute {name}")))
        .chain(wrong.map(|(name, value)| format!("has a {name} other than {value}")))
        .map(|problem| format!("{} {} [{}] {problem}", span.service, span.name, span.kind))
        .collect()
}

fn convention(span: &Span) -> Convention {
    const METHODS: [&str; 7] = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "HTTP"];
    const STATEMENTS: [&str; 7] = ["SELECT", "INSERT", "UPDATE", "DELETE", "BEGIN", "COMMIT", "ROLLBACK"];
    let (verb, target) = span.name.split_once(' ').unwrap_or((&span.name, ""));
    match span.kind {
        Kind::Server if METHODS.contains(&verb) => Convention::HttpServer,
        Kind::Server | Kind::Client if target.is_empty() && verb.contains('/') => Convention::Rpc,
        Kind::Client if STATEMENTS.contains(&verb) && !target.starts_with('/') => Convention::Database,
        Kind::Client if METHODS.contains(&verb) => Convention::HttpClient,
        _ => Convention::Other,
    }
}

fn required(span: &Span, convention: Convention) -> Vec<&'static str> {
    let mut names = match convention {
        Convention::HttpServer => {
            vec!["http.request.method", "http.response.status_code", "url.path", "url.scheme"]
        }
        Convention::HttpClient => vec!["http.request.method", "server.address", "server.port", "url.template"],
        Convention::Rpc => vec!["rpc.system.name", "rpc.method", "rpc.status_code"],
        Convention::Database => vec!["db.system.name", "db.query.summary"],
        Convention::Other => vec![],
    };
    match (convention, span.kind) {
        // The name of a request without a matching route is only its method.
        (Convention::HttpServer, _) if span.name.contains(' ') => names.push("http.route"),
        (Convention::HttpClient, _) if !span.status.is_error() => names.push("http.response.status_code"),
        (Convention::Rpc, Kind::Client) => names.push("server.address"),
        (Convention::Other, Kind::Producer | Kind::Consumer) => {
            names.extend([
                "messaging.system",
                "messaging.operation.name",
                "messaging.operation.type",
                "messaging.destination.name",
                "messaging.message.id",
            ]);
        }
        (Convention::Other, Kind::Client) => names.extend(["server.address", "server.port"]),
        _ => {}
    }
    if span.kind == Kind::Consumer || span.name.starts_with("send ") {
        names.push("epro.delivery.attempt");
    }
    if span.name.starts_with("send ") {
        names.extend(["epro.delivery.channel", "epro.delivery.outcome"]);
    }
    if span.status.is_error() && convention != Convention::Other {
        names.push("error.type");
    }
    names
}

fn fixed_values(span: &Span, convention: Convention) -> Vec<(&'static str, &str)> {
    match convention {
        Convention::Rpc => vec![("rpc.system.name", "grpc"), ("rpc.method", &span.name)],
        Convention::Database => vec![("db.system.name", "postgresql"), ("db.query.summary", &span.name)],
        _ => vec![],
    }
}
