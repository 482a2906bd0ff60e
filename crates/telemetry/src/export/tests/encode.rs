use std::borrow::Cow;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use opentelemetry::trace::{Event, Link, SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceState};
use opentelemetry::{Array, InstrumentationScope, KeyValue, Value};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value;
use opentelemetry_proto::transform::common::tonic::ResourceAttributesWithSchema;
use opentelemetry_proto::transform::trace::tonic::group_spans_by_resource_and_scope;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};
use prost::Message;

use super::super::encode::Encoder;

fn resource() -> Resource {
    Resource::builder_empty()
        .with_schema_url([KeyValue::new("service.name", "shop"), KeyValue::new("n", 1)], "https://schema")
        .build()
}

fn place(span: u64, flags: TraceFlags) -> SpanContext {
    let state = TraceState::from_key_value([("a", "1"), ("b", "2")]).unwrap();
    SpanContext::new(0x4bf9_2f35_u128.into(), span.into(), flags, true, state)
}

fn at(micros: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_micros(1_700_000_000_000_000 + micros)
}

fn span(scope: &'static str, kind: SpanKind, status: Status) -> SpanData {
    let values: [Value; 9] = [
        "text".into(),
        "".into(),
        true.into(),
        (-5_i64).into(),
        0_i64.into(),
        0.25.into(),
        Value::Array(Array::String(vec!["x".into(), "y".into()])),
        Value::Array(Array::I64(vec![1, 2])),
        Value::Array(Array::Bool(vec![])),
    ];
    let attributes = values.into_iter().map(|value| KeyValue::new("key", value)).collect::<Vec<_>>();
    let mut events = SpanEvents::default();
    events.events.push(Event::new("event", at(3), attributes.clone(), 4));
    events.dropped_count = 5;
    let mut links = SpanLinks::default();
    links.links.push(Link::new(place(9, TraceFlags::SAMPLED), attributes.clone(), 6));
    SpanData {
        span_context: place(7, TraceFlags::new(3)),
        parent_span_id: if kind == SpanKind::Server { SpanId::INVALID } else { 8.into() },
        parent_span_is_remote: kind == SpanKind::Client,
        span_kind: kind,
        name: Cow::Borrowed("work"),
        start_time: at(1),
        end_time: at(1_000_000),
        attributes,
        dropped_attributes_count: 300,
        events,
        links,
        status,
        instrumentation_scope: InstrumentationScope::builder(scope)
            .with_version("1")
            .with_schema_url("https://s")
            .with_attributes([KeyValue::new("k", "v")])
            .build(),
    }
}

fn spans() -> Vec<SpanData> {
    vec![
        span("one", SpanKind::Server, Status::Unset),
        span("two", SpanKind::Client, Status::error("what")),
        span("one", SpanKind::Internal, Status::Ok),
        span("one", SpanKind::Producer, Status::error("")),
        span("two", SpanKind::Consumer, Status::Unset),
    ]
}

fn decoded(spans: &[SpanData], value_length: Option<usize>) -> ExportTraceServiceRequest {
    ExportTraceServiceRequest::decode(Encoder::new(&resource(), value_length).request(spans)).unwrap()
}

#[test]
fn a_request_says_what_opentelemetrys_own_conversion_says() {
    let expected = group_spans_by_resource_and_scope(spans(), &ResourceAttributesWithSchema::from(&resource()));
    let mut expected = ExportTraceServiceRequest { resource_spans: expected };
    let mut request = decoded(&spans(), None);
    for request in [&mut expected, &mut request] {
        let resource_spans = &mut request.resource_spans[0];
        resource_spans.scope_spans.sort_by_key(|scope| scope.scope.as_ref().unwrap().name.clone());
        resource_spans.resource.as_mut().unwrap().attributes.sort_by_key(|pair| pair.key.clone());
        for span in resource_spans.scope_spans.iter_mut().flat_map(|scope| &mut scope.spans) {
            // A status that is not set may be left out or be empty.
            span.status.get_or_insert_default();
        }
    }
    assert_eq!(request, expected);
}

#[test]
fn texts_are_cut_after_whole_characters() {
    let mut span = span("one", SpanKind::Internal, Status::Unset);
    span.attributes = vec![KeyValue::new("key", "äöü")];
    let request = decoded(&[span], Some(2));
    let value = request.resource_spans[0].scope_spans[0].spans[0].attributes[0].value.clone().unwrap();
    assert_eq!(value.value, Some(any_value::Value::StringValue("äö".to_owned())));
}
