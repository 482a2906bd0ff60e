//! A server of strategies.

use std::convert::Infallible;
use std::future::{Future, pending};
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::Router;
use axum::extract::State;
use axum::response::IntoResponse;
use axum::routing::get;
use bytes::{BufMut, Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Request};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use prost::Message;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tonic::body::Body;
use tonic::server::NamedService;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tower::Service;

use super::PATIENCE;
use crate::sampling::remote::Parameters;
use crate::sampling::remote::wire::{Probabilistic, Response};

#[derive(Debug, Clone)]
pub(super) enum Answer {
    /// In the server's own format.
    Bytes(Bytes),
    Hang,
}

/// A server whose answer can be changed.
#[derive(Debug, Clone)]
pub(super) struct Fake {
    pub(super) answer: watch::Sender<Answer>,
    pub(super) asked: watch::Sender<Vec<String>>,
    pub(super) address: SocketAddr,
}

impl Fake {
    pub(super) async fn over_grpc(answer: &Response) -> Self {
        let (fake, listener) = Self::bind(framed(&answer.encode_to_vec())).await;
        let server = Server::builder().add_service(Grpc(fake.clone()));
        tokio::spawn(server.serve_with_incoming(TcpIncoming::from(listener)));
        fake
    }

    pub(super) async fn over_http(answer: &'static str) -> Self {
        let (fake, listener) = Self::bind(Bytes::from_static(answer.as_bytes())).await;
        let sampling =
            async |State(fake): State<Self>, uri: http::Uri| fake.answer(uri.query().unwrap()).await.into_response();
        let app = Router::new().route("/api/sampling", get(sampling)).with_state(fake.clone());
        tokio::spawn(async { axum::serve(listener, app).await });
        fake
    }

    async fn bind(answer: Bytes) -> (Self, TcpListener) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let fake =
            Self { answer: watch::Sender::new(Answer::Bytes(answer)), asked: watch::Sender::new(Vec::new()), address };
        (fake, listener)
    }

    async fn answer(&self, question: &str) -> Bytes {
        self.asked.send_modify(|asked| asked.push(question.to_owned()));
        let answer = self.answer.borrow().clone();
        match answer {
            Answer::Bytes(bytes) => bytes,
            Answer::Hang => pending().await,
        }
    }

    pub(super) fn now_answers(&self, answer: impl Into<Bytes>) {
        self.answer.send_replace(Answer::Bytes(answer.into()));
    }

    /// Waits for this many more polls. All answers except the last are in force then.
    pub(super) async fn polled(&self, times: usize) {
        let mut asked = self.asked.subscribe();
        let wanted = asked.borrow().len() + times;
        tokio::time::timeout(PATIENCE, asked.wait_for(|asked| asked.len() >= wanted)).await.unwrap().unwrap();
    }
}

#[derive(Clone)]
struct Grpc(Fake);

impl NamedService for Grpc {
    const NAME: &'static str = "jaeger.api_v2.SamplingManager";
}

impl Service<Request<Body>> for Grpc {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let fake = self.0.clone();
        Box::pin(async move {
            assert_eq!(request.uri().path(), crate::sampling::remote::METHOD);
            let body = request.into_body().collect().await.unwrap().to_bytes();
            let question = Parameters::decode(&body[5..]).unwrap().service_name;
            let message = Frame::data(fake.answer(&question).await);
            let mut trailers = HeaderMap::new();
            trailers.insert("grpc-status", HeaderValue::from_static("0"));
            let frames = futures_util::stream::iter([Ok::<_, tonic::Status>(message), Ok(Frame::trailers(trailers))]);
            let mut response = http::Response::new(Body::new(StreamBody::new(frames)));
            response.headers_mut().insert("content-type", HeaderValue::from_static("application/grpc"));
            Ok(response)
        })
    }
}

/// A message in a gRPC frame.
pub(super) fn framed(message: &[u8]) -> Bytes {
    let mut frame = BytesMut::from(&[0][..]);
    frame.put_u32(u32::try_from(message.len()).unwrap());
    frame.extend_from_slice(message);
    frame.freeze()
}

pub(super) fn probabilistic(sampling_rate: f64) -> Response {
    Response { probabilistic_sampling: Some(Probabilistic { sampling_rate }), ..Response::default() }
}
