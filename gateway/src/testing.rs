//! The gateway in a test beside a route: its whole router, before services that answer what the test says.

use std::collections::HashMap;
use std::convert::Infallible;
use std::future::{Ready, ready};
use std::marker::PhantomData;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::ConnectInfo;
use axum::response::Response;
use config::{Config, File, FileFormat, Source as _, Value as Setting};
use http::{HeaderMap, HeaderValue, Method, Request};
use http_body_util::{BodyExt, Full};
use prost::Message;
use proto::data::data_service_server::DataServiceServer;
use proto::domain::{Principal, Role, SiteMembership};
use proto::report::report_service_server::ReportServiceServer;
use proto::user::AuthenticateResponse;
use proto::user::user_service_server::UserServiceServer;
use serde::Deserialize;
use serde_json::Value;
use service_kit::error::{CallError, Reason, status};
use service_kit::fault::Faults;
use service_kit::health::Readiness;
use service_kit::mesh::Mesh;
use service_kit::{Host, Service, Shutdown, grpc};
use telemetry::Task;
use tokio::net::TcpListener;
use tonic::server::NamedService;
use tower::ServiceExt;

use crate::App;

/// The one site of who asks.
pub(crate) const SITE: &str = "5d3a1c6e-0f0a-4c55-9d0e-7a1b2c3d4e01";

/// Any other id.
pub(crate) const ID: &str = "a551a9e0-1d1a-4f00-8000-000000000001";

/// A gateway, and what the services behind it answer.
pub(crate) struct Gateway {
    router: Router,
    answers: Answers,
}

/// By the name of the RPC.
type Answers = Arc<Mutex<HashMap<&'static str, Result<Vec<u8>, CallError>>>>;

impl Gateway {
    /// Whoever sends a token has this role.
    pub(crate) async fn asked_by(role: Role) -> Self {
        let principal = Principal {
            person_id: ID.to_owned(),
            role: role.into(),
            sites: vec![SiteMembership { site_id: SITE.to_owned(), care_team: Vec::new() }],
        };
        let answer = AuthenticateResponse { principal: Some(principal) };
        Self::start().await.unwrap().answering("Authenticate", &answer)
    }

    async fn start() -> anyhow::Result<Self> {
        let answers = Answers::default();
        let settings = Config::builder()
            .add_source(File::from_str(App::DEFAULTS, FileFormat::Yaml))
            .set_override("telemetry.batcher", "none")?
            .set_override("user_svc.url", serve::<UserServiceServer<()>>(&answers).await?)?
            .set_override("epro_svc.url", serve::<ReportServiceServer<()>>(&answers).await?)?
            .set_override("data_svc.url", serve::<DataServiceServer<()>>(&answers).await?)?;
        let settings = settings.build()?;
        let (mesh, faults, telemetry) = (Mesh::open(None)?, Faults::new(false, App::NAME), settings.get("telemetry")?);
        // What all services have is not the gateway's own.
        let mut own = settings.collect()?;
        own.retain(|key, _| !["listen", "telemetry", "mesh", "fault_injection"].contains(&key.as_str()));
        let own = crate::Config::deserialize(Setting::from(own))?;
        let app = App::build(own, &Host { mesh, faults, telemetry }).await?;
        Ok(Self { router: app.router, answers })
    }

    /// An RPC, such as `SubmitReport`, answers this.
    pub(crate) fn answering(self, rpc: &'static str, answer: &impl Message) -> Self {
        self.answers.lock().unwrap().insert(rpc, Ok(answer.encode_to_vec()));
        self
    }

    /// An RPC refuses what it is asked.
    pub(crate) fn refusing(self, rpc: &'static str, reason: Reason) -> Self {
        self.answers.lock().unwrap().insert(rpc, Err(CallError { reason, violations: Vec::new() }));
        self
    }

    /// Sends a request with a token, these headers and, unless it is null, a body.
    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&'static str, &'static str)],
        body: &Value,
    ) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in [("host", "localhost"), ("authorization", "Bearer token")].iter().chain(headers) {
            request = request.header(*name, *value);
        }
        let body = match body {
            Value::Null => Body::empty(),
            body => {
                request = request.header("content-type", "application/json");
                Body::from(body.to_string())
            }
        };
        let mut request = request.body(body).unwrap();
        request.extensions_mut().insert(ConnectInfo(SocketAddr::from((Ipv4Addr::LOCALHOST, 50_000))));
        let (parts, body) = self.router.clone().oneshot(request).await.unwrap().into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Answer {
            status: parts.status.as_u16(),
            headers: parts.headers,
            body: serde_json::from_slice(&body).unwrap_or_default(),
        }
    }

    /// [`Self::send`] of a GET.
    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, &[], &Value::Null).await
    }
}

/// What the gateway answers.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    /// JSON; null for anything else.
    pub(crate) body: Value,
}

impl Answer {
    /// Its status and the name of its problem.
    pub(crate) fn problem(&self) -> (u16, &str) {
        let problem = self.body["type"].as_str().and_then(|uri| uri.strip_prefix("/problems/"));
        (self.status, problem.unwrap_or_default())
    }
}

/// Starts a service and gives its URL.
async fn serve<S: NamedService + 'static>(answers: &Answers) -> anyhow::Result<String> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let url = format!("http://{}", listener.local_addr()?);
    let service = Scripted::<S> { answers: Arc::clone(answers), service: PhantomData };
    let (mesh, faults) = (Mesh::open(None)?, Faults::new(false, S::NAME));
    let serving = grpc::serve(listener, mesh, service, Readiness::Always, faults, Shutdown::new());
    // Ends with the test's runtime.
    drop(Task::internal("scripted service").spawn(serving));
    Ok(url)
}

/// A gRPC service that answers by a script.
struct Scripted<S> {
    answers: Answers,
    service: PhantomData<fn() -> S>,
}

impl<S> Clone for Scripted<S> {
    fn clone(&self) -> Self {
        Self { answers: Arc::clone(&self.answers), service: PhantomData }
    }
}

impl<S: NamedService> NamedService for Scripted<S> {
    const NAME: &'static str = S::NAME;
}

impl<S> tower::Service<Request<tonic::body::Body>> for Scripted<S> {
    type Response = Response<tonic::body::Body>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<tonic::body::Body>) -> Self::Future {
        let rpc = request.uri().path().rsplit('/').next().unwrap_or_default();
        let answer = match self.answers.lock().unwrap().get(rpc) {
            Some(Ok(message)) => unary(message),
            Some(Err(refusal)) => status(refusal).into_http(),
            None => tonic::Status::unimplemented(format!("the test says nothing of {rpc}")).into_http(),
        };
        ready(Ok(answer))
    }
}

/// A gRPC answer: the message behind a byte for its compression and its length, then the status.
fn unary(message: &[u8]) -> Response<tonic::body::Body> {
    let length = u32::try_from(message.len()).unwrap().to_be_bytes();
    let frame = Bytes::from([&[0], &length[..], message].concat());
    let trailers = HeaderMap::from_iter([("grpc-status".parse().unwrap(), HeaderValue::from_static("0"))]);
    let body = Full::new(frame).with_trailers(ready(Some(Ok(trailers))));
    Response::builder().header("content-type", "application/grpc").body(tonic::body::Body::new(body)).unwrap()
}
