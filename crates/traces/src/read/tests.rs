use std::time::Duration;

use opentelemetry_proto::tonic::trace::v1 as proto;
use proptest::prelude::*;

use super::*;
use crate::{Kind, Status};

const OTLP: &str = r#"{"resourceSpans":[{
    "resource":{"attributes":[{"key":"service.name","value":{"stringValue":"store"}}]},
    "scopeSpans":[{"scope":{"name":"x"},"spans":[
        {"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b17a","name":"Save","flags":257,
         "kind":"SPAN_KIND_SERVER","startTimeUnixNano":"1795368326000000000","endTimeUnixNano":"1795368326000002000",
         "status":{}},
        {"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b17b","parentSpanId":"eee19b7ec3c1b17a",
         "name":"COMMIT","kind":3,"startTimeUnixNano":"1795368326000001000","endTimeUnixNano":"1795368326000001500",
         "attributes":[{"key":"db.system.name","value":{"stringValue":"postgresql"}},
                       {"key":"rows","value":{"intValue":"42"}}],
         "events":[{"timeUnixNano":"1795368326000001200","name":"exception"}],
         "status":{"message":"bad","code":2}}]}]}]}"#;

const JAEGER: &str = r#"{"data":[{"traceID":"5b8efff798038103d269b633813fc60c","spans":[
    {"traceID":"5b8efff798038103d269b633813fc60c","spanID":"eee19b7ec3c1b17a","operationName":"Save","references":[],
     "startTime":1795368326000000,"duration":2,"flags":1,
     "tags":[{"key":"span.kind","type":"string","value":"server"}],"logs":[],"processID":"p1","warnings":null},
    {"traceID":"5b8efff798038103d269b633813fc60c","spanID":"EEE19B7EC3C1B17B","operationName":"COMMIT",
     "references":[{"refType":"FOLLOWS_FROM","traceID":"aaaafff798038103d269b633813fc60c","spanID":"0000000000000001"},
                   {"refType":"CHILD_OF","traceID":"5b8efff798038103d269b633813fc60c","spanID":"eee19b7ec3c1b17a"}],
     "startTime":1795368326000001,"duration":1,
     "tags":[{"key":"span.kind","type":"string","value":"client"},{"key":"rows","type":"int64","value":"42"},
             {"key":"db.system.name","type":"string","value":"postgresql"},{"key":"error","type":"bool","value":true},
             {"key":"otel.status_code","type":"string","value":"ERROR"},
             {"key":"otel.status_description","type":"string","value":"bad"}],
     "logs":[{"timestamp":1795368326000001,"fields":[{"key":"event","type":"string","value":"exception"},
              {"key":"exception.type","type":"string","value":"Deadlock"}]}],
     "processID":"p1","warnings":["clock skew"]}],
  "processes":{"p1":{"serviceName":"store","tags":[{"key":"host.name","type":"string","value":"a"}]}},
  "warnings":null}],"total":0,"limit":0,"offset":0,"errors":null}"#;

fn one(bytes: &[u8]) -> Trace {
    let mut traces = traces(bytes).unwrap();
    assert_eq!(traces.len(), 1);
    traces.remove(0)
}

fn assert_is_the_trace(trace: &Trace) {
    let commit = trace.one("store", "COMMIT", Kind::Client).unwrap();
    assert_eq!(commit.status, Status::Error("bad".to_owned()));
    assert_eq!((commit.text("db.system.name"), commit.int("rows")), (Some("postgresql"), Some(42)));
    assert_eq!(commit.events[0].name, "exception");
    assert_eq!((trace.roots().len(), trace.orphans().len()), (1, 0));
    let save = trace.one("store", "Save", Kind::Server).unwrap();
    assert_eq!((save.duration(), save.sampled), (Duration::from_micros(2), Some(true)));
    assert_eq!(save.status, Status::Unset);
}

#[test]
fn the_same_trace_is_read_from_otlp_and_from_jaegers_own_format() {
    assert_is_the_trace(&one(OTLP.as_bytes()));
    assert_is_the_trace(&one(format!("{{\"result\":{OTLP}}}").as_bytes()));
    let trace = one(JAEGER.as_bytes());
    assert_is_the_trace(&trace);
    let commit = &trace.spans[1];
    assert_eq!((&commit.warnings[..], commit.links.len()), (&["clock skew".to_owned()][..], 1));
    assert_eq!(commit.events[0].attributes["exception.type"], "Deadlock");
    assert_eq!(commit.resource["host.name"], "a");
    assert!(!commit.attributes.contains_key("error") && !commit.attributes.contains_key("span.kind"));
}

#[test]
fn a_request_as_protobuf_is_read() {
    let span =
        proto::Span { trace_id: vec![1; 16], span_id: vec![2; 8], parent_span_id: vec![0; 8], ..Default::default() };
    let scope = proto::ScopeSpans { spans: vec![span], ..Default::default() };
    let group = proto::ResourceSpans { scope_spans: vec![scope], ..Default::default() };
    let trace = one(&ExportTraceServiceRequest { resource_spans: vec![group] }.encode_to_vec());
    assert_eq!((trace.id(), trace.roots().len()), ("01010101010101010101010101010101", 1));
}

#[test]
fn lines_of_json_are_the_traces_of_all_of_them() {
    let other = OTLP.replace("5b8e", "0b8e");
    let lines = format!("{}\n{}\n", OTLP.replace('\n', " "), other.replace('\n', " "));
    assert_eq!(traces(lines.as_bytes()).unwrap().len(), 2);
    assert_eq!(traces(format!("[{OTLP},{JAEGER}]").as_bytes()).unwrap().len(), 1);
}

#[test]
fn a_span_that_only_follows_from_its_parent_says_so() {
    let follows = JAEGER.replace("CHILD_OF", "FOLLOWS_FROM");
    let trace = one(follows.as_bytes());
    assert!(trace.spans[1].follows && trace.spans[1].parent_span_id.is_some());
    assert_eq!(trace.spans[1].links.len(), 1);
}

#[test]
fn what_is_no_trace_is_an_error_that_says_why() {
    for (text, expected) in [
        ("", "nothing to read"),
        (" \n", "nothing to read"),
        ("<html>", "begins with \"<html>\""),
        ("{\"a\":1}", "neither OTLP"),
        ("{\"resourceSpans\":[{", "cut off"),
        ("{\"resourceSpans\":7}", "looks like OTLP"),
        (&OTLP.replace("eee19b7ec3c1b17b", "xyz"), "looks like OTLP"),
        (&OTLP.replace("\"spanId\":\"eee19b7ec3c1b17b\",", ""), "\"COMMIT\" has no trace id or no span id"),
        ("{\"data\":[{\"spans\":7}]}", "no list of spans"),
        (&JAEGER.replace("1795368326000001", "\"soon\""), "startTime is \"soon\""),
        ("{\"data\":null,\"errors\":[{\"code\":404,\"msg\":\"trace not found\"}]}", "it says: trace not found"),
        ("{\"error\":{\"httpCode\":404,\"message\":\"No traces found\"}}", "it says: No traces found"),
    ] {
        let error = traces(text.as_bytes()).unwrap_err().to_string();
        assert!(error.contains(expected), "{text}: {error}");
    }
}

#[test]
fn an_empty_list_of_traces_is_no_error() {
    assert!(traces(b"{\"data\":[]}").unwrap().is_empty());
    assert!(traces(b"{\"resourceSpans\":[]}").unwrap().is_empty());
}

proptest! {
    #[test]
    fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = traces(&bytes);
    }

    #[test]
    fn no_part_of_a_file_makes_the_reader_panic(from in 0..JAEGER.len(), to in 0..JAEGER.len(), byte in any::<u8>()) {
        for file in [OTLP, JAEGER] {
            let mut bytes = file.as_bytes().to_vec();
            let end = bytes.len();
            bytes[from.min(end - 1)] = byte;
            let _ = traces(&bytes);
            let _ = traces(&bytes[..to.min(end)]);
        }
    }
}
