use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_client::MetricsServiceClient;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::metrics::v1::{
    Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, metric, number_data_point,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message;
use tonic::transport::Endpoint;

use super::*;
use traces::{Kind, span};

/// When another workspace member turns on reqwest's TLS without a cryptography provider, no client can be built until a
/// provider is installed.
fn plain_http() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().build().unwrap_or_default()
}

const TRACE: &str = "0102030405060708090a0b0c0d0e0f10";
const SOON: Duration = Duration::from_secs(2);

/// An export request of one service. Each span is (id, parent, name).
fn request(service: &str, spans: &[(u8, u8, &str)]) -> ExportTraceServiceRequest {
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
    let resource = Some(resource(service));
    let group = ResourceSpans { resource, scope_spans: vec![scope], ..ResourceSpans::default() };
    ExportTraceServiceRequest { resource_spans: vec![group] }
}

fn resource(service: &str) -> Resource {
    Resource { attributes: vec![pair("service.name", service)], ..Resource::default() }
}

fn pair(key: &str, value: &str) -> KeyValue {
    let value = AnyValue { value: Some(Value::StringValue(value.to_owned())) };
    KeyValue { key: key.to_owned(), value: Some(value), ..KeyValue::default() }
}

/// An export request of one service with a counter. Each point is (kind, value).
fn counts(service: &str, points: &[(&str, i64)]) -> ExportMetricsServiceRequest {
    let data_points = points.iter().map(|(kind, value)| NumberDataPoint {
        attributes: vec![pair("kind", kind)],
        value: Some(number_data_point::Value::AsInt(*value)),
        ..NumberDataPoint::default()
    });
    let sum = Sum { data_points: data_points.collect(), ..Sum::default() };
    let metric = Metric { name: "things".to_owned(), data: Some(metric::Data::Sum(sum)), ..Metric::default() };
    let scope = ScopeMetrics { metrics: vec![metric], ..ScopeMetrics::default() };
    let resource = Some(resource(service));
    let group = ResourceMetrics { resource, scope_metrics: vec![scope], ..ResourceMetrics::default() };
    ExportMetricsServiceRequest { resource_metrics: vec![group] }
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
async fn a_trace_is_told_of_whenever_it_has_grown() -> anyhow::Result<()> {
    let receiver = Receiver::start().await?;
    export(&receiver, request("data-svc", &[(2, 1, "Save")])).await?;
    let mut arrivals = receiver.arrivals();
    let sizes = |traces: Option<Vec<Trace>>| traces.map(|traces| traces.iter().map(|it| it.spans.len()).collect());
    assert_eq!(sizes(arrivals.next(9).await), Some(vec![1]));
    assert!(timeout(Duration::from_millis(20), arrivals.next(9)).await.is_err());
    export(&receiver, request("gateway", &[(1, 0, "POST")])).await?;
    assert_eq!(sizes(arrivals.next(9).await), Some(vec![2]));
    drop(receiver);
    assert_eq!(sizes(arrivals.next(9).await), None);
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
async fn the_newest_counts_of_all_services_are_summed_up() -> anyhow::Result<()> {
    let receiver = Receiver::start().await?;
    assert_eq!(receiver.sum("things", &[]), 0);
    let mut grpc = MetricsServiceClient::new(Endpoint::from_shared(receiver.endpoint())?.connect().await?);
    grpc.export(counts("gateway", &[("good", 1), ("bad", 1)])).await?;
    grpc.export(counts("gateway", &[("good", 5), ("bad", 1)])).await?;
    let url = format!("{}/v1/metrics", receiver.http_endpoint());
    let body = counts("data-svc", &[("good", 2)]).encode_to_vec();
    assert_eq!(plain_http().post(&url).body(body).send().await?.status(), 200);

    assert_eq!(receiver.sum("things", &[("kind", "good")]), 7);
    assert_eq!(receiver.sum("things", &[]), 8);
    assert_eq!((receiver.sum("things", &[("kind", "ugly")]), receiver.sum("others", &[])), (0, 0));
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
