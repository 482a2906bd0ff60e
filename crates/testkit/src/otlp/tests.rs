use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use tonic::transport::Endpoint;

use super::*;
use crate::client::plain_http;
use crate::trace::{Kind, span};

const TRACE: &str = "0102030405060708090a0b0c0d0e0f10";
const SOON: Duration = Duration::from_secs(2);

/// An export request of one service with spans of (id, parent, name).
fn request(service: &str, spans: &[(u8, u8, &str)]) -> ExportTraceServiceRequest {
    let name = AnyValue { value: Some(Value::StringValue(service.to_owned())) };
    let name = KeyValue { key: "service.name".to_owned(), value: Some(name), ..KeyValue::default() };
    let spans = spans.iter().map(|(id, parent, name)| Span {
        trace_id: (1..=16).collect(),
        span_id: vec![*id; 8],
        parent_span_id: if *parent == 0 { Vec::new() } else { vec![*parent; 8] },
        name: (*name).to_owned(),
        kind: 2,
        start_time_unix_nano: u64::from(*id) * 1_000_000,
        end_time_unix_nano: 9_500_000,
        ..Span::default()
    });
    let scope = ScopeSpans { spans: spans.collect(), ..ScopeSpans::default() };
    let resource = Resource { attributes: vec![name], ..Resource::default() };
    let group = ResourceSpans { resource: Some(resource), scope_spans: vec![scope], ..ResourceSpans::default() };
    ExportTraceServiceRequest { resource_spans: vec![group] }
}

async fn export(receiver: &Receiver, request: ExportTraceServiceRequest) -> anyhow::Result<()> {
    let channel = Endpoint::from_shared(receiver.endpoint())?.connect().await?;
    TraceServiceClient::new(channel).export(request).await?;
    Ok(())
}

#[tokio::test]
async fn spans_of_two_services_become_one_tree() -> anyhow::Result<()> {
    let receiver = Receiver::start().await?;
    let expected = span("gateway", "POST", Kind::Server).child(span("data-svc", "Save", Kind::Server));
    let sender = async {
        export(&receiver, request("data-svc", &[(2, 1, "Save")])).await?;
        export(&receiver, request("gateway", &[(1, 0, "POST")])).await
    };
    let (trace, sent) = tokio::join!(receiver.wait_for_shape(TRACE, SOON, &expected), sender);
    sent?;
    assert_eq!(trace?.roots().len(), 1);
    assert_eq!(receiver.traces().len(), 1);
    Ok(())
}

#[tokio::test]
async fn an_incomplete_trace_is_shown_with_what_is_missing() -> anyhow::Result<()> {
    let receiver = Receiver::start().await?;
    export(&receiver, request("gateway", &[(1, 0, "POST"), (3, 7, "lost")])).await?;

    let expected = span("gateway", "POST", Kind::Server).child(span("data-svc", "Save", Kind::Server));
    let error = receiver.wait_for_shape(TRACE, Duration::from_millis(20), &expected).await.unwrap_err();
    let rendered = "\
SERVICE  SPAN                   KIND    START      DURATION   STATUS
gateway  POST                   SERVER     0.0 ms     8.5 ms
gateway  (parent missing) lost  SERVER     2.0 ms     6.5 ms
";
    assert_eq!(error.trace.render(), rendered);
    let text = error.to_string();
    assert!(text.contains("└── - data-svc  Save  SERVER"), "{text}");
    assert!(text.contains("+ gateway  lost  SERVER"), "{text}");
    Ok(())
}

#[tokio::test]
async fn protobuf_over_http_is_received_too() -> anyhow::Result<()> {
    let receiver = Receiver::start().await?;
    let url = format!("{}/v1/traces", receiver.http_endpoint());
    let body = request("gateway", &[(1, 0, "POST")]).encode_to_vec();
    assert_eq!(plain_http().post(&url).body(body).send().await?.status(), 200);
    assert_eq!(plain_http().post(&url).body("not protobuf").send().await?.status(), 400);
    assert_eq!(receiver.trace(TRACE).spans[0].name, "POST");
    Ok(())
}

#[tokio::test]
async fn what_arrives_is_forwarded_and_what_cannot_be_is_counted() -> anyhow::Result<()> {
    let mut jaeger = Receiver::start().await?;
    let receiver = Receiver::forwarding_to(&jaeger.endpoint()).await?;
    export(&receiver, request("gateway", &[(1, 0, "POST")])).await?;
    jaeger.wait_for(TRACE, SOON, |trace| !trace.is_empty()).await?;

    jaeger.stop().await;
    export(&receiver, request("gateway", &[(2, 1, "later")])).await?;
    assert_eq!(receiver.drain(SOON).await, 1);
    assert_eq!(receiver.trace(TRACE).spans.len(), 2);
    Ok(())
}

#[tokio::test]
async fn a_receiver_comes_back_on_its_ports_with_its_spans() -> anyhow::Result<()> {
    let mut receiver = Receiver::start().await?;
    export(&receiver, request("gateway", &[(1, 0, "POST")])).await?;
    receiver.stop().await;
    assert!(export(&receiver, request("gateway", &[(2, 1, "lost")])).await.is_err());
    receiver.start_again().await?;
    export(&receiver, request("gateway", &[(3, 1, "later")])).await?;
    assert_eq!(receiver.trace(TRACE).spans.len(), 2);
    Ok(())
}
