//! Writes a trace in a format that others can read.

use serde_json::{Value, json};

use crate::read::otlp::{HAS_IS_REMOTE, SAMPLED};
use crate::{Attributes, Event, Kind, Link, Span, Status, Trace};

/// The trace as one export request in OTLP's JSON encoding. Fields that only Jaeger has (`follows`, `warnings`) are
/// left out.
pub fn otlp(trace: &Trace) -> Value {
    let mut groups: Vec<(&Attributes, Vec<Value>)> = Vec::new();
    for written in &trace.spans {
        match groups.iter_mut().find(|(resource, _)| **resource == written.resource) {
            Some((_, spans)) => spans.push(span(written)),
            None => groups.push((&written.resource, vec![span(written)])),
        }
    }
    let groups = groups.into_iter().map(
        |(resource, spans)| json!({"resource": {"attributes": attributes(resource)}, "scopeSpans": [{"spans": spans}]}),
    );
    json!({"resourceSpans": groups.collect::<Vec<_>>()})
}

fn span(span: &Span) -> Value {
    let kind = match span.kind {
        Kind::Internal => 1,
        Kind::Server => 2,
        Kind::Client => 3,
        Kind::Producer => 4,
        Kind::Consumer => 5,
    };
    let status = match &span.status {
        Status::Unset => json!({}),
        Status::Ok => json!({"code": 1}),
        Status::Error(message) => json!({"code": 2, "message": message}),
    };
    let flags = match span.sampled {
        Some(true) => HAS_IS_REMOTE | SAMPLED,
        Some(false) => HAS_IS_REMOTE,
        None => 0,
    };
    json!({
        "traceId": span.trace_id,
        "spanId": span.span_id,
        "parentSpanId": span.parent_span_id.as_deref().unwrap_or_default(),
        "traceState": span.trace_state,
        "name": span.name,
        "kind": kind,
        "flags": flags,
        "startTimeUnixNano": span.start.to_string(),
        "endTimeUnixNano": span.end.to_string(),
        "attributes": attributes(&span.attributes),
        "events": span.events.iter().map(event).collect::<Vec<_>>(),
        "links": span.links.iter().map(link).collect::<Vec<_>>(),
        "status": status,
    })
}

fn event(Event { name, time, attributes: about }: &Event) -> Value {
    json!({"name": name, "timeUnixNano": time.to_string(), "attributes": attributes(about)})
}

fn link(Link { trace_id, span_id, attributes: about }: &Link) -> Value {
    json!({"traceId": trace_id, "spanId": span_id, "attributes": attributes(about)})
}

fn attributes<'a>(pairs: impl IntoIterator<Item = (&'a String, &'a Value)>) -> Vec<Value> {
    pairs.into_iter().map(|(key, about)| json!({"key": key, "value": value(about)})).collect()
}

fn value(of: &Value) -> Value {
    match of {
        Value::Null => json!({}),
        Value::Bool(flag) => json!({"boolValue": flag}),
        // As text, because not every JSON parser has 64-bit numbers.
        Value::Number(number) if number.is_i64() => json!({"intValue": number.to_string()}),
        Value::Number(number) => json!({"doubleValue": number}),
        Value::String(text) => json!({"stringValue": text}),
        Value::Array(values) => json!({"arrayValue": {"values": values.iter().map(value).collect::<Vec<_>>()}}),
        Value::Object(pairs) => json!({"kvlistValue": {"values": attributes(pairs)}}),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::read::traces;

    fn pairs(pairs: &Value) -> Attributes {
        pairs.as_object().into_iter().flatten().map(|(key, value)| (key.clone(), value.clone())).collect()
    }

    fn example(id: &str, kind: Kind, status: Status, sampled: Option<bool>) -> Span {
        Span {
            trace_id: "5b8efff798038103d269b633813fc60c".to_owned(),
            span_id: format!("eee19b7ec3c1b17{id}"),
            parent_span_id: (id != "a").then(|| "eee19b7ec3c1b17a".to_owned()),
            trace_state: "vendor=1".to_owned(),
            service: "store".to_owned(),
            name: "Save".to_owned(),
            kind,
            status,
            start: 1_795_368_326_000_000_001,
            end: 1_795_368_326_000_002_000,
            attributes: pairs(&json!({
                "text": "a \"b\"", "count": -42, "most": i64::MAX, "share": 0.25, "is": true, "none": null,
                "list": ["x", 1], "map": {"x": {"y": 1}},
            })),
            events: vec![Event { name: "exception".to_owned(), time: 7, attributes: pairs(&json!({"a": "b"})) }],
            links: vec![Link {
                trace_id: "aaaafff798038103d269b633813fc60c".to_owned(),
                span_id: "0000000000000001".to_owned(),
                attributes: pairs(&json!({"a": "b"})),
            }],
            resource: pairs(&json!({"service.name": "store", "host.name": "a"})),
            sampled,
            ..Span::default()
        }
    }

    #[test]
    fn what_is_written_is_read_as_it_was() -> Result<(), crate::read::Error> {
        let error = Status::Error("bad".to_owned());
        let mut spans = vec![
            example("a", Kind::Server, Status::Unset, Some(true)),
            example("b", Kind::Client, error, Some(false)),
            example("c", Kind::Producer, Status::Ok, None),
            example("d", Kind::Consumer, Status::Unset, None),
            example("e", Kind::Internal, Status::Unset, None),
        ];
        spans[1].service = "shop".to_owned();
        spans[1].resource = pairs(&json!({"service.name": "shop"}));
        let trace = Trace::new(spans);
        let read = traces(otlp(&trace).to_string().as_bytes())?;
        assert_eq!(format!("{read:#?}"), format!("{:#?}", vec![trace]));
        Ok(())
    }
}
