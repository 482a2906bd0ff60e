use std::any::Any;
use std::convert::Infallible;
use std::future::{Future, pending};
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use opentelemetry::trace::SpanKind;
use opentelemetry_sdk::trace::SpanData;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tonic::body::Body;
use tonic::server::NamedService;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Endpoint, Server};
use tonic::{Code, Status};
use tower::{Service, ServiceExt};
use tower_http::catch_panic::CatchPanicLayer;

use super::{Recorder, WORDS, assert_child, assert_failed, assert_not_failed, attributes, report_panics, text};
use crate::grpc::{ServerLayer, TracedBody, TracedChannel};

/// A call that never ends has arrived.
static STALLED: Notify = Notify::const_new();

/// A hand-written gRPC service, so that a test decides where the status is sent.
#[derive(Clone)]
struct Answers;

impl NamedService for Answers {
    const NAME: &'static str = "test.v1.Test";
}

type Answer = Result<Response<Body>, Infallible>;

impl Service<Request<Body>> for Answers {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Answer> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let path = request.uri().path().to_owned();
        Box::pin(async move {
            Ok(match path.rsplit('/').next().unwrap() {
                "Ok" => streamed(Code::Ok),
                "FailLate" => streamed(Code::Internal),
                "RefuseLate" => streamed(Code::NotFound),
                "Refuse" => Status::not_found(WORDS).into_http(),
                "Fail" => Status::internal(WORDS).into_http(),
                "StallLate" => {
                    STALLED.notify_one();
                    response(stream::iter([message()]).chain(stream::pending()).boxed())
                }
                "Stall" => {
                    STALLED.notify_one();
                    pending().await
                }
                "Panic" => panic!("{WORDS}"),
                _ => pending().await,
            })
        })
    }
}

/// A message, then the status in the trailers.
fn streamed(code: Code) -> Response<Body> {
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from(i32::from(code)));
    trailers.insert("grpc-message", HeaderValue::from_static(WORDS));
    response(stream::iter([message(), Frame::trailers(trailers)]).boxed())
}

fn message() -> Frame<Bytes> {
    Frame::data(Bytes::from_static(&[0; 5]))
}

fn response(frames: stream::BoxStream<'static, Frame<Bytes>>) -> Response<Body> {
    let mut response = Response::new(Body::new(StreamBody::new(frames.map(Ok::<_, Status>))));
    response.headers_mut().insert("content-type", HeaderValue::from_static("application/grpc"));
    response
}

pub(super) async fn serve() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let catch =
        CatchPanicLayer::custom(|_: Box<dyn Any + Send>| Status::internal("internal error").into_http::<Body>());
    let server = Server::builder().layer(ServerLayer::new(&[])).layer(catch).add_service(Answers);
    tokio::spawn(server.serve_with_incoming(TcpIncoming::from(listener)));
    address
}

fn request(path: &str) -> Request<Body> {
    let request = Request::post(path).header("content-type", "application/grpc").header("te", "trailers");
    request.body(Body::empty()).unwrap()
}

fn channel(address: SocketAddr) -> TracedChannel {
    TracedChannel::new(&Endpoint::from_shared(format!("http://{address}")).unwrap(), "test-svc")
}

pub(super) async fn start(
    address: SocketAddr,
    path: &str,
) -> Result<Response<TracedBody<Body>>, tonic::transport::Error> {
    channel(address).ready().await?.call(request(path)).await
}

/// Client and server span of a call that is read to its end.
async fn call(path: &str) -> (SpanData, SpanData) {
    let mut recorder = Recorder::start();
    let response = start(serve().await, path).await.unwrap();
    let _ = response.into_body().collect().await;
    let spans = recorder.ended(2).await;
    recorder.assert_discreet();
    of_kinds(&spans)
}

fn of_kinds(spans: &[SpanData]) -> (SpanData, SpanData) {
    let of = |kind: SpanKind| spans.iter().find(|span| span.span_kind == kind).unwrap().clone();
    (of(SpanKind::Client), of(SpanKind::Server))
}

#[tokio::test]
async fn a_call_is_one_trace_across_the_wire() {
    let (client, server) = call("/test.v1.Test/Ok").await;
    assert_child(&server, &client);
    assert!(server.parent_span_is_remote);
    for span in [&client, &server] {
        assert_eq!(span.name, "test.v1.Test/Ok");
        assert_eq!(text(span, "rpc.system.name"), "grpc");
        assert_eq!(text(span, "rpc.method"), "test.v1.Test/Ok");
        assert_eq!(text(span, "rpc.status_code"), "OK");
        assert_not_failed(span);
    }
    assert_eq!(text(&client, "server.address"), "127.0.0.1");
    assert!(matches!(attributes(&client)["server.port"], opentelemetry::Value::I64(_)));
}

#[tokio::test]
async fn a_refusal_is_no_failure_wherever_its_status_travels() {
    for method in ["Refuse", "RefuseLate"] {
        let (client, server) = call(&format!("/test.v1.Test/{method}")).await;
        for span in [&client, &server] {
            assert_eq!(text(span, "rpc.status_code"), "NOT_FOUND");
            assert_not_failed(span);
        }
    }
}

#[tokio::test]
async fn an_internal_error_fails_both_sides_wherever_its_status_travels() {
    for method in ["Fail", "FailLate"] {
        let (client, server) = call(&format!("/test.v1.Test/{method}")).await;
        for span in [&client, &server] {
            assert_eq!(text(span, "rpc.status_code"), "INTERNAL");
            assert_failed(span, "INTERNAL");
        }
    }
}

#[tokio::test]
async fn a_panic_fails_the_servers_span_as_a_panic_and_the_clients_as_internal() {
    report_panics();
    let (client, server) = call("/test.v1.Test/Panic").await;
    assert_failed(&server, "panic");
    assert_eq!(text(&server, "rpc.status_code"), "INTERNAL");
    assert_eq!(server.events.len(), 1);
    assert_failed(&client, "INTERNAL");
}

#[tokio::test]
async fn a_server_that_is_not_there_is_unavailable() {
    let mut recorder = Recorder::start();
    assert!(start("127.0.0.1:1".parse().unwrap(), "/test.v1.Test/Ok").await.is_err());
    let span = recorder.only().await;
    assert_failed(&span, "UNAVAILABLE");
    assert_eq!(text(&span, "rpc.status_code"), "UNAVAILABLE");
}

#[tokio::test]
async fn a_call_that_outlives_its_deadline_says_so_to_its_caller() {
    let mut recorder = Recorder::start();
    let mut request = request("/test.v1.Test/Hang");
    request.headers_mut().insert("grpc-timeout", HeaderValue::from_static("50m"));
    let mut channel = channel(serve().await);
    let answer = channel.ready().await.unwrap().call(request).await;
    if let Ok(response) = answer {
        let _ = response.into_body().collect().await;
    }
    let (client, _) = of_kinds(&recorder.ended(2).await);
    assert_failed(&client, "DEADLINE_EXCEEDED");
}

#[tokio::test]
async fn a_caller_that_leaves_cancels_both_sides_at_that_moment() {
    for method in ["Stall", "StallLate"] {
        let mut recorder = Recorder::start();
        let address = serve().await;
        let reading = tokio::spawn(async move {
            let response = start(address, &format!("/test.v1.Test/{method}")).await.unwrap();
            response.into_body().collect().await.map(drop)
        });
        STALLED.notified().await;
        let left = SystemTime::now();
        reading.abort();
        let (client, server) = of_kinds(&recorder.ended(2).await);
        assert_failed(&client, "CANCELLED");
        assert_not_failed(&server);
        for span in [&client, &server] {
            assert_eq!(text(span, "rpc.status_code"), "CANCELLED");
            assert!(span.end_time >= left, "{span:?} ended before {left:?}");
        }
        let line = recorder.lines().remove(0);
        assert_eq!(line["rpc.status_code"], "CANCELLED");
    }
}

#[tokio::test]
async fn a_server_logs_a_line_for_each_call_in_its_trace() {
    let mut recorder = Recorder::start();
    let response = start(serve().await, "/test.v1.Test/Ok").await.unwrap();
    let _ = response.into_body().collect().await;
    let (_, server) = of_kinds(&recorder.ended(2).await);
    let line = recorder.lines().remove(0);
    assert_eq!((&line["message"], &line["rpc.method"]), (&"rpc".into(), &"test.v1.Test/Ok".into()));
    assert_eq!(line["span_id"], server.span_context.span_id().to_string());
}

#[tokio::test]
async fn a_path_that_is_no_method_is_other() {
    let long = format!("/test.v1.Test/{}", "x".repeat(200));
    for path in ["/test.v1.Test/what%20Jane%20said", "/a/b/c", "/", &long] {
        let mut recorder = Recorder::start();
        let endpoint = Endpoint::from_shared(format!("http://{}", serve().await)).unwrap();
        let mut channel = endpoint.timeout(Duration::from_millis(200)).connect().await.unwrap();
        let _ = channel.ready().await.unwrap().call(request(path)).await;
        let span = recorder.only().await;
        assert_eq!(span.name, "grpc", "{path}");
        assert_eq!(text(&span, "rpc.method"), "_OTHER");
    }
}

#[tokio::test]
async fn a_health_check_makes_no_span() {
    let recorder = Recorder::start();
    let mut server = tower_layer::Layer::layer(&ServerLayer::new(&["grpc.health.v1.Health"]), Answers);
    let hanging = server.call(request("/grpc.health.v1.Health/Check"));
    assert!(tokio::time::timeout(Duration::from_millis(20), hanging).await.is_err());
    assert!(recorder.spans().is_empty());
    assert!(recorder.lines().is_empty());
}
