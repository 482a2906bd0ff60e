//! The pipeline against receivers on real sockets that fail in the ways real ones do.

mod encode;
mod failures;
mod fragments;
mod http;
pub(crate) mod receiver;
mod shedding;

use std::time::{Duration, Instant};

use opentelemetry::trace::{Span as _, SpanBuilder, SpanContext, SpanId, SpanKind, Status, Tracer, TracerProvider};
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SdkTracerProvider, SpanData, SpanEvents, SpanLinks, SpanProcessor};

use super::Processor;
use crate::config::settings::{Exporter, Otlp, Protocol};
use crate::config::{Queue, Tls};
use receiver::{Authority, Behaviour, Http, Receiver};

const PATIENCE: Duration = Duration::from_secs(10);

/// A root that has ended, with nothing in it.
fn ended(span_context: SpanContext, status: Status) -> SpanData {
    SpanData {
        span_context,
        parent_span_id: SpanId::INVALID,
        parent_span_is_remote: false,
        span_kind: SpanKind::Internal,
        name: "work".into(),
        start_time: std::time::UNIX_EPOCH,
        end_time: std::time::UNIX_EPOCH,
        attributes: Vec::new(),
        dropped_attributes_count: 0,
        events: SpanEvents::default(),
        links: SpanLinks::default(),
        status,
        instrumentation_scope: InstrumentationScope::default(),
    }
}

fn otlp(protocol: Protocol, endpoint: &str) -> Otlp {
    Otlp {
        protocol,
        endpoint: endpoint.parse().unwrap(),
        headers: Vec::new(),
        gzip: false,
        timeout: Some(Duration::from_secs(5)),
        tls: Tls::default(),
    }
}

pub(crate) fn grpc(endpoint: &str) -> Otlp {
    otlp(Protocol::Grpc, endpoint)
}

/// A pipeline and the provider that makes spans for it.
pub(crate) struct Pipeline {
    pub(crate) processor: Processor,
    provider: SdkTracerProvider,
}

impl Pipeline {
    pub(crate) fn start(otlp: Otlp) -> Self {
        Self::with(otlp, Queue { delay: Duration::from_millis(10), ..Queue::default() })
    }

    fn with(otlp: Otlp, queue: Queue) -> Self {
        let resource = Resource::builder_empty().with_attribute(KeyValue::new("service.name", "shop")).build();
        let processor = Processor::start(Exporter::Otlp(Box::new(otlp)), queue, None, &resource, None).unwrap();
        let provider = SdkTracerProvider::builder().with_span_processor(processor.clone()).build();
        Self { processor, provider }
    }

    pub(crate) fn end_spans(&self, number: usize) {
        let tracer = self.provider.tracer_with_scope(InstrumentationScope::builder("test").build());
        for _ in 0..number {
            tracer.build(SpanBuilder::from_name("work")).end();
        }
    }

    async fn flush(&self) -> bool {
        let processor = self.processor.clone();
        tokio::task::spawn_blocking(move || processor.force_flush().is_ok()).await.unwrap()
    }

    /// Shuts the pipeline down and returns how long that took.
    pub(crate) async fn close(&self, deadline: Duration) -> Duration {
        let processor = self.processor.clone();
        let started = Instant::now();
        tokio::task::spawn_blocking(move || processor.shutdown_with_timeout(deadline)).await.unwrap().ok();
        started.elapsed()
    }

    #[track_caller]
    fn assert_counts(&self, exported: u64, lost: &[(&'static str, u64)]) {
        let counts = self.processor.counts();
        assert_eq!((counts.exported(), counts.lost()), (exported, lost.iter().copied().collect()));
    }
}

#[tokio::test]
async fn spans_arrive_over_grpc_with_headers_and_resource() {
    let receiver = Receiver::start(Behaviour::Take).await;
    let mut otlp = grpc(&receiver.endpoint());
    otlp.headers = vec![("x-key".parse().unwrap(), "7".parse().unwrap())];
    let pipeline = Pipeline::start(otlp);
    pipeline.end_spans(3);
    assert!(pipeline.flush().await);
    let request = receiver.requests().remove(0);
    assert_eq!(request.key.as_deref(), Some("7"));
    assert_eq!((request.service, request.spans), ("shop".to_owned(), 3));
    pipeline.assert_counts(3, &[]);
}

#[tokio::test]
async fn spans_arrive_over_http_at_the_path_that_was_set_compressed_or_not() {
    for gzip in [false, true] {
        let http = Http::start(None).await;
        let mut otlp = otlp(Protocol::HttpProtobuf, &format!("{}/v1/traces", http.endpoint()));
        otlp.gzip = gzip;
        otlp.headers = vec![("x-key".parse().unwrap(), "7".parse().unwrap())];
        let pipeline = Pipeline::start(otlp);
        pipeline.end_spans(2);
        assert!(pipeline.flush().await);
        let head = http.heads().remove(0);
        assert!(head.starts_with("POST /v1/traces HTTP/1.1\r\n") && head.contains("x-key: 7\r\n"), "{head}");
        assert!(head.contains("content-type: application/x-protobuf\r\n"), "{head}");
        assert_eq!(head.contains("content-encoding: gzip\r\n"), gzip, "{head}");
        pipeline.assert_counts(2, &[]);
    }
}

#[tokio::test]
async fn spans_are_compressed_over_grpc() {
    let receiver = Receiver::start(Behaviour::Take).await;
    let pipeline = Pipeline::start(Otlp { gzip: true, ..grpc(&receiver.endpoint()) });
    pipeline.end_spans(100);
    assert!(pipeline.flush().await);
    assert_eq!(receiver.requests()[0].encoding.as_deref(), Some("gzip"));
    pipeline.assert_counts(100, &[]);
}

#[tokio::test]
async fn both_protocols_speak_tls_with_an_authority_and_a_client_certificate_of_ones_own() {
    let authority = Authority::new();
    let tls =
        Tls { ca: Some(authority.ca()), certificate: Some(authority.client()), key: Some(authority.client_key()) };
    let receiver = Receiver::start_with(Behaviour::Take, Some(&authority)).await;
    let http = Http::start(Some(&authority)).await;
    for otlp in [grpc(&receiver.endpoint()), otlp(Protocol::HttpProtobuf, &http.endpoint())] {
        let pipeline = Pipeline::start(Otlp { tls: tls.clone(), ..otlp.clone() });
        pipeline.end_spans(1);
        assert!(pipeline.flush().await);
        pipeline.assert_counts(1, &[]);
        // Without a client certificate the receiver takes nothing.
        let stranger = Tls { certificate: None, key: None, ..tls.clone() };
        let pipeline = Pipeline::start(Otlp { tls: stranger, ..otlp });
        pipeline.end_spans(1);
        pipeline.close(Duration::from_millis(300)).await;
        assert_eq!((pipeline.processor.counts().exported(), pipeline.processor.counts().lost().values().sum()), (0, 1));
    }
}

#[tokio::test]
async fn a_file_that_cannot_be_read_costs_spans_and_nothing_else() {
    let tls = Tls { ca: Some("/nowhere".into()), ..Tls::default() };
    for protocol in [Protocol::Grpc, Protocol::HttpProtobuf] {
        let pipeline = Pipeline::start(Otlp { tls: tls.clone(), ..otlp(protocol, "https://127.0.0.1:1") });
        pipeline.end_spans(2);
        assert!(pipeline.flush().await);
        pipeline.assert_counts(0, &[("configuration", 2)]);
    }
}

#[tokio::test]
async fn the_last_spans_are_sent_at_the_end_however_long_they_could_still_wait() {
    let receiver = Receiver::start(Behaviour::Take).await;
    let queue = Queue { delay: Duration::from_hours(1), ..Queue::default() };
    let pipeline = Pipeline::with(grpc(&receiver.endpoint()), queue);
    pipeline.end_spans(1_000);
    pipeline.close(PATIENCE).await;
    pipeline.assert_counts(1_000, &[]);
}

#[tokio::test]
async fn the_memory_of_a_burst_is_given_back() {
    let receiver = Receiver::start(Behaviour::Take).await;
    let pipeline = Pipeline::start(grpc(&receiver.endpoint()));
    assert_eq!(pipeline.processor.room(), 0);
    pipeline.end_spans(8_000);
    assert!(pipeline.flush().await);
    assert!(pipeline.processor.room() <= Queue::default().batch, "{}", pipeline.processor.room());
}
