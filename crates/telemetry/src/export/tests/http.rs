//! The pipeline against HTTP receivers that fail in the ways real ones do.

use opentelemetry_proto::tonic::collector::trace::v1::{ExportTracePartialSuccess, ExportTraceServiceResponse};
use prost::Message;

use super::receiver::{Answer, Proxy};
use super::*;

fn with(status: &'static str) -> Answer {
    Answer::With(status, "", Vec::new())
}

fn to(endpoint: &str) -> Otlp {
    Otlp { timeout: Some(Duration::from_millis(300)), ..otlp(Protocol::HttpProtobuf, endpoint) }
}

#[tokio::test]
async fn a_receiver_that_fails_for_now_is_asked_again_when_it_says() {
    let unavailable = "503 Service Unavailable";
    for first in
        [with(unavailable), with("429 Too Many Requests"), Answer::With(unavailable, "retry-after: 0\r\n", vec![])]
    {
        let http = Http::answering(vec![first, with("200 OK")]).await;
        let pipeline = Pipeline::start(otlp(Protocol::HttpProtobuf, &http.endpoint()));
        pipeline.end_spans(2);
        assert!(pipeline.flush().await);
        assert_eq!(http.heads().len(), 2);
        pipeline.assert_counts(2, &[]);
    }
}

#[tokio::test]
async fn a_receiver_that_says_no_is_not_asked_again() {
    for (status, class) in [
        ("400 Bad Request", "400"),
        ("401 Unauthorized", "401"),
        ("404 Not Found", "404"),
        ("413 Content Too Large", "413"),
        ("500 Internal Server Error", "500"),
        ("302 Found", "_OTHER"),
    ] {
        let http = Http::answering(vec![with(status)]).await;
        let pipeline = Pipeline::start(to(&http.endpoint()));
        pipeline.end_spans(2);
        assert!(pipeline.flush().await);
        assert_eq!(http.heads().len(), 1, "{status}");
        pipeline.assert_counts(0, &[(class, 2)]);
    }
}

#[tokio::test]
async fn what_is_rejected_of_a_batch_is_counted() {
    let partial = ExportTracePartialSuccess { rejected_spans: 3, error_message: "too old".to_owned() };
    let body = ExportTraceServiceResponse { partial_success: Some(partial) }.encode_to_vec();
    let http = Http::answering(vec![Answer::With("200 OK", "", body)]).await;
    let pipeline = Pipeline::start(to(&http.endpoint()));
    pipeline.end_spans(10);
    assert!(pipeline.flush().await);
    pipeline.assert_counts(7, &[("rejected", 3)]);
}

#[tokio::test]
async fn a_receiver_that_is_not_there_costs_spans_by_their_cause() {
    let pipeline = Pipeline::start(to("http://127.0.0.1:1"));
    pipeline.end_spans(5);
    pipeline.close(Duration::from_millis(200)).await;
    pipeline.assert_counts(0, &[("unavailable", 5)]);
}

#[tokio::test]
async fn a_connection_that_leads_nowhere_any_more_costs_no_span() {
    let http = Http::start(None).await;
    let proxy = Proxy::before(http.address()).await;
    let pipeline = Pipeline::start(to(&proxy.endpoint()));
    pipeline.end_spans(1);
    assert!(pipeline.flush().await);
    proxy.silence();
    for _ in 0..2 {
        pipeline.end_spans(1);
        assert!(pipeline.flush().await);
    }
    pipeline.assert_counts(3, &[]);
}

#[tokio::test]
async fn an_answer_without_an_end_is_not_read_to_its_end() {
    let http = Http::answering(vec![Answer::Endless]).await;
    let pipeline = Pipeline::start(otlp(Protocol::HttpProtobuf, &http.endpoint()));
    pipeline.end_spans(2);
    assert!(pipeline.flush().await);
    pipeline.assert_counts(2, &[]);
}
