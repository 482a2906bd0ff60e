//! Jaeger's own JSON, as returned by `/api/traces/{id}` and as downloaded from its UI.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::Error;
use crate::{Attributes, Event, Kind, Link, Span, Status};

/// Tags for values that OpenTelemetry's spans have fields for.
const KIND: &str = "span.kind";
const ERROR: &str = "error";
const STATUS_CODE: &str = "otel.status_code";
const STATUS_DESCRIPTION: &str = "otel.status_description";

/// The lowest bit of a span's flags.
const SAMPLED: u64 = 1;

/// The spans of one element of `data`.
pub(super) fn spans(trace: &Value) -> Result<Vec<Span>, Error> {
    let spans = trace["spans"].as_array().ok_or_else(|| Error::malformed("a Jaeger trace has no list of spans"))?;
    let processes = trace["processes"].as_object();
    let remarks = texts(&trace["warnings"]);
    let mut converted: Vec<Span> = spans.iter().map(|span| convert(span, processes)).collect::<Result<_, _>>()?;
    if let Some(first) = converted.first_mut() {
        first.warnings.extend(remarks);
    }
    Ok(converted)
}

fn convert(span: &Value, processes: Option<&Map<String, Value>>) -> Result<Span, Error> {
    let process = match span["process"].as_object() {
        Some(_) => Some(&span["process"]),
        None => span["processID"].as_str().and_then(|id| processes?.get(id)),
    };
    let service = process.and_then(|process| process["serviceName"].as_str()).unwrap_or("unknown").to_owned();
    let mut resource = process.map_or_else(Attributes::new, |process| tags(&process["tags"]));
    resource.entry("service.name".to_owned()).or_insert_with(|| service.clone().into());
    let mut attributes = tags(&span["tags"]);
    let (start, duration) = (microseconds(span, "startTime")?, microseconds(span, "duration")?);
    let trace_id = id(span, "traceID");
    let (parent, links) = references(span, &trace_id);
    Ok(Span {
        span_id: id(span, "spanID"),
        parent_span_id: parent.as_ref().map(|parent| parent.span_id.clone()),
        trace_state: String::new(),
        follows: parent.is_some_and(|parent| parent.follows),
        service,
        name: span["operationName"].as_str().unwrap_or_default().to_owned(),
        kind: kind(attributes.remove(KIND).as_ref()),
        status: status(&mut attributes),
        start,
        end: start.saturating_add(duration),
        attributes,
        events: span["logs"].as_array().into_iter().flatten().map(event).collect(),
        links,
        resource,
        sampled: span["flags"].as_u64().map(|flags| flags & SAMPLED != 0),
        warnings: texts(&span["warnings"]),
        trace_id,
    })
}

/// Old clients omit leading zeros.
fn id(part: &Value, key: &str) -> String {
    let id = part[key].as_str().unwrap_or_default().to_ascii_lowercase();
    let digits = if key == "traceID" && id.len() > 16 { 32 } else { 16 };
    if id.is_empty() { id } else { format!("{id:0>digits$}") }
}

/// In nanoseconds.
fn microseconds(span: &Value, key: &str) -> Result<u64, Error> {
    let value = &span[key];
    let number = value.as_u64().or_else(|| value.as_str()?.parse().ok());
    match number {
        Some(number) => Ok(number.saturating_mul(1_000)),
        None => Err(Error::malformed(format!("a span's {key} is {value}, not a number of microseconds"))),
    }
}

struct Parent {
    span_id: String,
    follows: bool,
}

/// The parent is the first `CHILD_OF` reference, else the first `FOLLOWS_FROM`, and one in the same trace if possible.
/// All others are links.
fn references(span: &Value, trace_id: &str) -> (Option<Parent>, Vec<Link>) {
    let mut references: Vec<(bool, Link)> = Vec::new();
    for reference in span["references"].as_array().into_iter().flatten() {
        let (trace_id, span_id) = (id(reference, "traceID"), id(reference, "spanID"));
        if span_id.bytes().any(|byte| byte != b'0') {
            let follows = reference["refType"].as_str() == Some("FOLLOWS_FROM");
            references.push((follows, Link { trace_id, span_id, attributes: Attributes::new() }));
        }
    }
    if references.is_empty() {
        let span_id = id(span, "parentSpanID");
        if span_id.bytes().any(|byte| byte != b'0') {
            references.push((false, Link { trace_id: trace_id.to_owned(), span_id, attributes: Attributes::new() }));
        }
    }
    let rank = |(follows, link): &(bool, Link)| (link.trace_id != trace_id, *follows);
    let nearest = (0..references.len()).min_by_key(|at| rank(&references[*at]));
    // A `FOLLOWS_FROM` reference to another trace is a link.
    let parent = nearest.filter(|at| rank(&references[*at]) != (true, true)).map(|at| {
        let (follows, link) = references.remove(at);
        Parent { span_id: link.span_id, follows }
    });
    (parent, references.into_iter().map(|(_, link)| link).collect())
}

fn kind(tag: Option<&Value>) -> Kind {
    let name = tag.and_then(Value::as_str).unwrap_or_default();
    Kind::ALL.into_iter().find(|kind| kind.name().eq_ignore_ascii_case(name)).unwrap_or_default()
}

fn status(attributes: &mut Attributes) -> Status {
    let mut take = |key| attributes.remove(key);
    let description = take(STATUS_DESCRIPTION);
    let description = description.as_ref().and_then(Value::as_str).unwrap_or_default().to_owned();
    match (take(STATUS_CODE).as_ref().and_then(Value::as_str), take(ERROR)) {
        (Some("ERROR"), _) | (_, Some(Value::Bool(true))) => Status::Error(description),
        (_, Some(Value::String(text))) if text == "true" => Status::Error(description),
        (Some("OK"), _) => Status::Ok,
        _ => Status::Unset,
    }
}

fn event(log: &Value) -> Event {
    let mut attributes = tags(&log["fields"]);
    let name = ["event", "message"].into_iter().find_map(|key| Some(attributes.get(key)?.as_str()?.to_owned()));
    if attributes.get("event").and_then(Value::as_str) == name.as_deref() {
        attributes.remove("event");
    }
    let time = log["timestamp"].as_u64().unwrap_or_default().saturating_mul(1_000);
    Event { name: name.unwrap_or_else(|| "log".to_owned()), time, attributes }
}

/// A list of `{key, type, value}`. Old clients send integers as text.
fn tags(list: &Value) -> Attributes {
    let list = list.as_array().into_iter().flatten();
    let tag = |tag: &Value| {
        let value = match (&tag["value"], tag["type"].as_str()) {
            (Value::String(text), Some("int64")) => {
                text.parse::<i64>().map_or_else(|_| text.clone().into(), Into::into)
            }
            (value, _) => value.clone(),
        };
        Some((tag["key"].as_str()?.to_owned(), value))
    };
    list.filter_map(tag).collect::<BTreeMap<_, _>>()
}

fn texts(list: &Value) -> Vec<String> {
    list.as_array().into_iter().flatten().filter_map(|text| Some(text.as_str()?.to_owned())).collect()
}
