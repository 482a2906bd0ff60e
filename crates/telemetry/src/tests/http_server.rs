use std::any::Any;
use std::future::pending;
use std::net::SocketAddr;
use std::time::SystemTime;

use axum::Router;
use axum::response::IntoResponse;
use axum::routing::{get, post};
use http::StatusCode;
use opentelemetry::trace::{SpanId, SpanKind};
use opentelemetry_sdk::trace::SpanData;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tower_http::catch_panic::CatchPanicLayer;

use super::{Recorder, WORDS, assert_failed, assert_not_failed, attributes, report_panics, text};
use crate::http::ServerLayer;
use crate::{Continuation, Incoming, TraceContext, Trust};

const REMOTE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/// A request that never ends has arrived.
static STUCK: Notify = Notify::const_new();

async fn stuck() {
    STUCK.notify_one();
    pending::<()>().await;
}

async fn serve() -> SocketAddr {
    serve_with(ServerLayer::new(&["/livez"])).await
}

async fn serve_with(layer: ServerLayer) -> SocketAddr {
    let catch = CatchPanicLayer::custom(|_: Box<dyn Any + Send>| StatusCode::INTERNAL_SERVER_ERROR.into_response());
    let app = Router::new()
        .route("/v1/orders/{id}", get(async || TraceContext::current().to_string()))
        .route("/v1/broken", post(async || StatusCode::BAD_GATEWAY))
        .route("/v1/invalid", post(async || StatusCode::UNPROCESSABLE_ENTITY))
        .route("/v1/stuck", get(stuck))
        .route("/v1/panic", get(async || -> () { panic!("{WORDS}") }))
        .route("/livez", get(async || ()))
        .layer(catch)
        .layer(layer);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async { axum::serve(listener, app).await });
    address
}

/// Sends a request's first line and further headers; returns the answer.
async fn exchange(address: SocketAddr, line: &str, headers: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("{line} HTTP/1.1\r\nHost: {WORDS}:80\r\nConnection: close\r\n{headers}\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

async fn span_of(line: &str) -> SpanData {
    let mut recorder = Recorder::start();
    exchange(serve().await, line, "").await;
    let span = recorder.only().await;
    recorder.assert_discreet();
    span
}

#[tokio::test]
async fn a_request_is_named_by_its_route_and_shows_nothing_of_its_words() {
    let span = span_of(&format!("GET /v1/orders/{WORDS}?q={WORDS}")).await;
    assert_eq!((&*span.name, &span.span_kind), ("GET /v1/orders/{id}", &SpanKind::Server));
    assert_eq!(text(&span, "http.request.method"), "GET");
    assert_eq!(text(&span, "http.route"), "/v1/orders/{id}");
    assert_eq!(text(&span, "url.path"), "/v1/orders/{id}");
    assert_eq!(text(&span, "url.scheme"), "http");
    assert_eq!(text(&span, "network.protocol.version"), "1.1");
    assert_eq!(attributes(&span)["http.response.status_code"], &200_i64.into());
    assert_not_failed(&span);
}

#[tokio::test]
async fn a_request_that_matches_no_route_is_named_by_its_method_and_is_no_failure() {
    let span = span_of(&format!("GET /{WORDS}")).await;
    assert_eq!(span.name, "GET");
    assert_eq!(attributes(&span)["http.response.status_code"], &404_i64.into());
    assert_eq!(text(&span, "http.route"), "");
    assert_not_failed(&span);
}

#[tokio::test]
async fn the_scheme_is_the_servers_and_not_of_the_clients_choice() {
    for scheme in ["https", WORDS] {
        let span = span_of(&format!("GET {scheme}://host/v1/orders/1")).await;
        assert_eq!(text(&span, "url.scheme"), "http");
    }
    let mut recorder = Recorder::start();
    let address = serve_with(ServerLayer::new(&[]).over_tls(true)).await;
    exchange(address, "GET http://host/v1/orders/1", "").await;
    assert_eq!(text(&recorder.only().await, "url.scheme"), "https");
}

#[tokio::test]
async fn an_unknown_method_is_other() {
    let span = span_of(&format!("{WORDS} /v1/broken")).await;
    assert_eq!(span.name, "HTTP /v1/broken");
    assert_eq!(text(&span, "http.request.method"), "_OTHER");
}

#[tokio::test]
async fn a_clients_mistake_is_no_failure_and_a_servers_is() {
    assert_not_failed(&span_of("POST /v1/invalid").await);
    assert_failed(&span_of("POST /v1/broken").await, "502");
}

#[tokio::test]
async fn a_panic_in_a_handler_fails_the_span_as_a_panic_whatever_is_answered() {
    report_panics();
    let span = span_of("GET /v1/panic").await;
    assert_failed(&span, "panic");
    assert_eq!(attributes(&span)["http.response.status_code"], &500_i64.into());
    assert_eq!(span.events.len(), 1);
}

#[tokio::test]
async fn a_client_that_leaves_cancels_the_span_at_that_moment() {
    let mut recorder = Recorder::start();
    let mut stream = TcpStream::connect(serve().await).await.unwrap();
    stream.write_all(b"GET /v1/stuck HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    STUCK.notified().await;
    let left = SystemTime::now();
    drop(stream);
    let span = recorder.only().await;
    assert_failed(&span, "cancelled");
    assert!(span.end_time >= left);
    let line = recorder.lines().pop().unwrap();
    assert_eq!((&line["message"], &line["error.type"]), (&"request".into(), &"cancelled".into()));
    assert_eq!(line["trace_id"], span.span_context.trace_id().to_string());
    assert!(!line.contains_key("http.response.status_code"), "{line:?}");
}

#[tokio::test]
async fn a_quiet_path_makes_neither_span_nor_line() {
    let recorder = Recorder::start();
    let answer = exchange(serve().await, "GET /livez", "").await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(recorder.spans().is_empty());
    assert!(recorder.lines().is_empty());
}

#[tokio::test]
async fn every_answer_names_its_span() {
    let mut recorder = Recorder::start();
    let answer = exchange(serve().await, "GET /nothing-here", "").await;
    let span = recorder.only().await.span_context;
    let expected = format!("traceresponse: 00-{}-{}-03\r\n", span.trace_id(), span.span_id());
    assert!(answer.contains(&expected), "{answer}");
    let expected = format!("server-timing: trace;desc=00-{}-{}-03\r\n", span.trace_id(), span.span_id());
    assert!(answer.contains(&expected), "{answer}");
}

#[tokio::test]
async fn a_trusted_callers_trace_is_continued_and_its_own_words_are_not() {
    let ingress = Incoming { trace: Continuation::Continue, ..Incoming::default() };
    let mut recorder = Recorder::trusting(Trust { ingress, ..Trust::default() });
    let headers = format!("traceparent: {REMOTE}\r\ntracestate: a={WORDS}\r\nbaggage: name={WORDS}\r\n");
    exchange(serve().await, "GET /v1/orders/1", &headers).await;
    let span = recorder.only().await;
    assert_eq!(span.span_context.trace_id().to_string(), "0af7651916cd43dd8448eb211c80319c");
    assert_eq!(span.parent_span_id.to_string(), "b7ad6b7169203331");
    assert!(span.links.is_empty());
    recorder.assert_discreet();
}

#[tokio::test]
async fn an_untrusted_callers_trace_is_linked_to() {
    let mut recorder = Recorder::start();
    let headers = format!("traceparent: {REMOTE}\r\ntracestate: a={WORDS}\r\n");
    exchange(serve().await, "GET /v1/orders/1", &headers).await;
    let span = recorder.only().await;
    assert_ne!(span.span_context.trace_id().to_string(), "0af7651916cd43dd8448eb211c80319c");
    assert_eq!(span.links.len(), 1);
    assert_eq!(span.links[0].span_context.trace_id().to_string(), "0af7651916cd43dd8448eb211c80319c");
    recorder.assert_discreet();
}

#[tokio::test]
async fn a_pages_span_is_the_parent_of_a_trace_of_ours_and_nothing_else_of_it_is_taken() {
    let page = Incoming { trace: Continuation::Adopt, ..Incoming::default() };
    let mut recorder = Recorder::trusting(Trust { page, ..Trust::default() });
    let headers = format!("sec-fetch-site: same-origin\r\ntraceparent: {REMOTE}\r\ntracestate: a={WORDS}\r\n");
    let answer = exchange(serve().await, "GET /v1/orders/1", &headers).await;
    let span = recorder.only().await;
    let trace_id = span.span_context.trace_id();
    assert_ne!(trace_id.to_string(), "0af7651916cd43dd8448eb211c80319c");
    assert_eq!(span.parent_span_id.to_string(), "b7ad6b7169203331");
    assert_eq!(span.links[0].span_context.trace_id().to_string(), "0af7651916cd43dd8448eb211c80319c");
    assert!(answer.contains(&format!("traceresponse: 00-{trace_id}-{}-03", span.span_context.span_id())), "{answer}");
    recorder.assert_discreet();
}

#[tokio::test]
async fn a_request_that_no_page_makes_adopts_nobody() {
    let page = Incoming { trace: Continuation::Adopt, ..Incoming::default() };
    let mut recorder = Recorder::trusting(Trust { page, ..Trust::default() });
    let headers = format!("sec-fetch-site: cross-site\r\ntraceparent: {REMOTE}\r\n");
    exchange(serve().await, "GET /v1/orders/1", &headers).await;
    let span = recorder.only().await;
    assert_eq!((span.parent_span_id, span.links.len()), (SpanId::INVALID, 1));
}

#[tokio::test]
async fn a_handler_and_the_request_line_share_the_spans_ids() {
    let mut recorder = Recorder::start();
    let answer = exchange(serve().await, "GET /v1/orders/1", "").await;
    let span = recorder.only().await;
    let (trace, id) = (span.span_context.trace_id(), span.span_context.span_id());
    assert!(answer.ends_with(&format!("00-{trace}-{id}-03")), "{answer}");
    let line = recorder.lines().remove(0);
    assert_eq!((&line["message"], &line["http.route"]), (&"request".into(), &"/v1/orders/{id}".into()));
    assert_eq!(line["trace_id"], trace.to_string());
}
