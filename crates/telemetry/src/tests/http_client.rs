use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::routing::post;
use http::{HeaderMap, StatusCode};
use opentelemetry::trace::SpanKind;
use reqwest::{Response, Url};
use tokio::net::TcpListener;

use super::{Recorder, WORDS, assert_failed, assert_not_failed, attributes, text};
use crate::http::{Client, Error};
use crate::{Egress, Trust};

const TEMPLATE: &str = "/{path}/{to}";

fn client() -> Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::new(Duration::from_millis(300)).unwrap()
}

fn url(address: SocketAddr, path: &str) -> Url {
    format!("http://{address}/{path}/{WORDS}?to={WORDS}").parse().unwrap()
}

async fn post_to(client: &Client, address: SocketAddr, path: &str) -> Result<Response, Error> {
    client.post(url(address, path), TEMPLATE).send().await
}

async fn serve() -> SocketAddr {
    let app = Router::new()
        .route("/echo/{to}", post(async |headers: HeaderMap| headers["traceparent"].to_str().unwrap().to_owned()))
        .route("/ids/{to}", post(async |headers: HeaderMap| headers.contains_key("traceparent").to_string()))
        .route("/busy/{to}", post(async || (StatusCode::TOO_MANY_REQUESTS, WORDS)))
        .route("/stuck/{to}", post(async || std::future::pending::<()>().await));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async { axum::serve(listener, app).await });
    address
}

#[tokio::test]
async fn a_request_is_a_client_span_and_carries_it_onwards() {
    let mut recorder = Recorder::start();
    let address = serve().await;
    let received = post_to(&client().in_mesh(), address, "echo").await.unwrap().text().await.unwrap();

    let span = recorder.only().await;
    assert_eq!((&*span.name, &span.span_kind), ("POST /{path}/{to}", &SpanKind::Client));
    assert_eq!(received, format!("00-{}-{}-03", span.span_context.trace_id(), span.span_context.span_id()));
    assert_eq!(text(&span, "url.template"), "/{path}/{to}");
    assert_eq!(text(&span, "server.address"), "127.0.0.1");
    assert_eq!(attributes(&span)["server.port"], &i64::from(address.port()).into());
    assert_eq!(attributes(&span)["http.response.status_code"], &200_i64.into());
    assert_not_failed(&span);
    recorder.assert_discreet();
}

#[tokio::test]
async fn a_stranger_is_told_no_ids_unless_it_may_have_them() {
    let allowed = Trust { egress: Egress { trace: true, ..Egress::default() }, ..Trust::default() };
    for (trust, told) in [(Trust::default(), "false"), (allowed, "true")] {
        let _recorder = Recorder::trusting(trust);
        let answer = post_to(&client(), serve().await, "ids").await.unwrap();
        assert_eq!(answer.text().await.unwrap(), told);
    }
}

#[tokio::test]
async fn a_refusal_fails_the_span_and_is_an_answer_to_the_caller() {
    let mut recorder = Recorder::start();
    let answer = post_to(&client(), serve().await, "busy").await.unwrap();
    assert_eq!(answer.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_failed(&recorder.only().await, "429");
    recorder.assert_discreet();
}

#[tokio::test]
async fn no_answer_in_time_is_a_timeout() {
    let mut recorder = Recorder::start();
    assert!(post_to(&client(), serve().await, "stuck").await.is_err());
    assert_failed(&recorder.only().await, "timeout");
}

#[tokio::test]
async fn a_server_that_is_not_there_is_a_failed_connect() {
    let mut recorder = Recorder::start();
    assert!(post_to(&client(), "127.0.0.1:1".parse().unwrap(), "echo").await.is_err());
    assert_failed(&recorder.only().await, "connect");
    recorder.assert_discreet();
}

#[tokio::test]
async fn a_connection_that_is_reset_is_called_so_whoever_hears_of_it_first() {
    let mut recorder = Recorder::start();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        stream.peek(&mut [0]).await.unwrap();
        // Closing a socket with unread data resets the connection.
    });
    assert!(post_to(&client(), address, "echo").await.is_err());
    assert_failed(&recorder.only().await, "connection_reset");
    recorder.assert_discreet();
}

#[tokio::test]
async fn a_request_that_cannot_be_built_was_not_cancelled() {
    let mut recorder = Recorder::start();
    let client = client();
    let request = client.post(url("127.0.0.1:1".parse().unwrap(), "echo"), TEMPLATE);
    let request = request.with(|request| request.header("x", "\n"));
    assert!(request.send().await.is_err());
    assert_failed(&recorder.only().await, "builder");
}
