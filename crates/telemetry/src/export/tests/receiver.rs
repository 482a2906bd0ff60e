//! Receivers of OTLP.

mod http;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{TraceService, TraceServiceServer};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::trace::v1::Span;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tonic::codec::CompressionEncoding;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Certificate, Identity, Server, ServerTlsConfig};
use tonic::{Code, Request, Response, Status};

pub(super) use http::{Answer, Http};

#[derive(Debug, Clone, Copy)]
pub(crate) enum Behaviour {
    Take,
    Hang,
    Fail(Code),
    FailOnce(Code),
    Reject(i64),
}

/// What a receiver saw of a request.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(super) key: Option<String>,
    pub(super) encoding: Option<String>,
    pub(crate) service: String,
    pub(super) spans: usize,
    pub(crate) content: Vec<Span>,
}

#[derive(Debug, Clone)]
struct Traces {
    behaviour: Behaviour,
    seen: Arc<watch::Sender<Vec<Seen>>>,
}

#[tonic::async_trait]
impl TraceService for Traces {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let header = |name| request.metadata().get(name).map(|value| value.to_str().unwrap().to_owned());
        let (key, encoding) = (header("x-key"), header("grpc-encoding"));
        let spans = &request.get_ref().resource_spans[0];
        let service = spans
            .resource
            .as_ref()
            .unwrap()
            .attributes
            .iter()
            .find(|pair| pair.key == "service.name")
            .unwrap()
            .value
            .clone()
            .unwrap()
            .value
            .unwrap();
        let opentelemetry_proto::tonic::common::v1::any_value::Value::StringValue(service) = service else {
            return Err(Status::internal("no name"));
        };
        let content: Vec<_> = spans.scope_spans.iter().flat_map(|scope| scope.spans.clone()).collect();
        self.seen.send_modify(|seen| seen.push(Seen { key, encoding, service, spans: content.len(), content }));
        let is_first = self.seen.borrow().len() == 1;
        match self.behaviour {
            Behaviour::Hang => std::future::pending().await,
            Behaviour::Fail(code) => Err(Status::new(code, "no")),
            Behaviour::FailOnce(code) if is_first => Err(Status::new(code, "not now")),
            Behaviour::Reject(rejected_spans) => {
                let partial = ExportTracePartialSuccess { rejected_spans, error_message: "too old".to_owned() };
                Ok(Response::new(ExportTraceServiceResponse { partial_success: Some(partial) }))
            }
            Behaviour::Take | Behaviour::FailOnce(_) => Ok(Response::new(ExportTraceServiceResponse::default())),
        }
    }
}

/// A receiver over gRPC.
pub(crate) struct Receiver {
    address: SocketAddr,
    secure: bool,
    seen: watch::Receiver<Vec<Seen>>,
}

impl Receiver {
    pub(crate) async fn start(behaviour: Behaviour) -> Self {
        Self::start_with(behaviour, None).await
    }

    pub(super) async fn start_with(behaviour: Behaviour, authority: Option<&Authority>) -> Self {
        Self::serve(TcpListener::bind("127.0.0.1:0").await.unwrap(), behaviour, authority)
    }

    /// Starts at the address of a receiver that has ended or is about to end.
    pub(super) async fn at(address: SocketAddr, behaviour: Behaviour) -> Self {
        loop {
            match TcpListener::bind(address).await {
                Ok(listener) => return Self::serve(listener, behaviour, None),
                Err(_) => tokio::task::yield_now().await,
            }
        }
    }

    fn serve(listener: TcpListener, behaviour: Behaviour, authority: Option<&Authority>) -> Self {
        let address = listener.local_addr().unwrap();
        let (sender, seen) = watch::channel(Vec::new());
        let traces = TraceServiceServer::new(Traces { behaviour, seen: Arc::new(sender) });
        let traces = traces.accept_compressed(CompressionEncoding::Gzip);
        let mut server = Server::builder();
        if let Some(authority) = authority {
            let identity = Identity::from_pem(authority.server.0.clone(), authority.server.1.clone());
            let tls = ServerTlsConfig::new().identity(identity);
            server = server.tls_config(tls.client_ca_root(Certificate::from_pem(authority.ca.clone()))).unwrap();
        }
        tokio::spawn(server.add_service(traces).serve_with_incoming(TcpIncoming::from(listener)));
        Self { address, secure: authority.is_some(), seen }
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("{}://{}", if self.secure { "https" } else { "http" }, self.address)
    }

    pub(crate) fn requests(&self) -> Vec<Seen> {
        self.seen.borrow().clone()
    }

    pub(crate) async fn wait_for(&self, requests: usize) {
        let mut seen = self.seen.clone();
        tokio::time::timeout(super::PATIENCE, seen.wait_for(|seen| seen.len() >= requests)).await.unwrap().unwrap();
    }
}

/// A certificate authority, with a certificate for the receiver and one for its client.
pub(super) struct Authority {
    files: tempfile::TempDir,
    ca: String,
    server: (String, String),
}

impl Authority {
    pub(super) fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let ca = params.self_signed(&key).unwrap().pem();
        let issuer = Issuer::new(params, key);
        let issue = |name: &str| {
            let key = KeyPair::generate().unwrap();
            let certificate = CertificateParams::new([name.to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
            (certificate.pem(), key.serialize_pem())
        };
        let files = tempfile::tempdir().unwrap();
        let (server, client) = (issue("127.0.0.1"), issue("client"));
        for (name, pem) in [("ca", &ca), ("client", &client.0), ("client.key", &client.1)] {
            std::fs::write(files.path().join(name), pem).unwrap();
        }
        Self { files, ca, server }
    }

    pub(super) fn ca(&self) -> PathBuf {
        self.files.path().join("ca")
    }

    pub(super) fn client(&self) -> PathBuf {
        self.files.path().join("client")
    }

    pub(super) fn client_key(&self) -> PathBuf {
        self.files.path().join("client.key")
    }

    fn acceptor(&self) -> TlsAcceptor {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut roots = rustls::RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(self.ca.as_bytes()).unwrap()).unwrap();
        let verifier =
            rustls::server::WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_client_cert_verifier(verifier.build().unwrap())
            .with_single_cert(
                vec![CertificateDer::from_pem_slice(self.server.0.as_bytes()).unwrap()],
                PrivateKeyDer::from_pem_slice(self.server.1.as_bytes()).unwrap(),
            );
        TlsAcceptor::from(Arc::new(config.unwrap()))
    }
}

/// A TCP proxy. Silenced connections stay open but pass nothing on any more; new connections work.
pub(super) struct Proxy {
    address: SocketAddr,
    silent: Arc<Mutex<watch::Sender<bool>>>,
}

impl Proxy {
    pub(super) async fn before(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let silent = Arc::new(Mutex::new(watch::Sender::new(false)));
        let switch = Arc::clone(&silent);
        tokio::spawn(async move {
            while let Ok((mut near, _)) = listener.accept().await {
                let mut silent = switch.lock().unwrap().subscribe();
                tokio::spawn(async move {
                    let mut far = TcpStream::connect(target).await.unwrap();
                    let silenced = async { silent.wait_for(|silent| *silent).await.map(drop) };
                    let is_silent = tokio::select! {
                        _ = tokio::io::copy_bidirectional(&mut near, &mut far) => false,
                        _ = silenced => true,
                    };
                    if is_silent {
                        std::future::pending::<()>().await;
                    }
                });
            }
        });
        Self { address, silent }
    }

    pub(super) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Silences the existing connections.
    pub(super) fn silence(&self) {
        let before = std::mem::replace(&mut *self.silent.lock().unwrap(), watch::Sender::new(false));
        before.send_replace(true);
    }
}
