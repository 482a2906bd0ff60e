use std::net::Ipv4Addr;
use std::path::Path;
use std::time::Duration;

use certificates::Files;
use proto::notify::notify_service_client::NotifyServiceClient;
use proto::notify::notify_service_server::{NotifyService, NotifyServiceServer};
use proto::notify::{NotifyRequest, NotifyResponse};
use rustls::pki_types::CertificateDer;
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio_rustls::TlsConnector;
use tonic::transport::Endpoint;
use tonic::{Code, Request, Response, Status};

use super::*;
use crate::fault::Faults;
use crate::grpc::{Upstream, serve};
use crate::health::{Probe, Readiness};
use crate::shutdown::Shutdown;

const TIMEOUT: Duration = Duration::from_secs(5);

#[derive(Debug, Clone)]
struct Taken;

#[tonic::async_trait]
impl NotifyService for Taken {
    async fn notify(&self, _: Request<NotifyRequest>) -> Result<Response<NotifyResponse>, Status> {
        Ok(Response::new(NotifyResponse::default()))
    }
}

fn config(Files { ca, certificate, key }: Files) -> Config {
    Config { ca, certificate, key }
}

fn mesh(files: Files) -> Mesh {
    Mesh::open(Some(&config(files))).unwrap()
}

fn of(folder: &Path, name: &str) -> Mesh {
    mesh(Files::of(folder, name))
}

/// A folder with the certificates of two services that call and of one that is called.
fn certificates() -> TempDir {
    let folder = TempDir::new().unwrap();
    issue(folder.path());
    folder
}

fn issue(folder: &Path) {
    certificates::issue(folder, &["epro-svc", "gateway", "notify-svc"], &[]).unwrap();
}

/// Runs a test against notify-svc in this mesh. The test gets the port.
async fn against(mesh: Mesh, test: impl AsyncFnOnce(u16)) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let shutdown = Shutdown::new();
    let (service, faults) = (NotifyServiceServer::new(Taken), Faults::new(false, "notify-svc"));
    let serving = serve(listener, mesh, service, Readiness::Always, faults, shutdown.clone());
    let testing = async {
        test(port).await;
        shutdown.cancel();
    };
    tokio::join!(serving, testing).0.unwrap();
}

/// The result of a call to `name` by a service of this mesh, on a new connection.
async fn call(mesh: &Mesh, scheme: &str, name: &'static str, port: u16) -> Code {
    let upstream = Upstream { url: format!("{scheme}://127.0.0.1:{port}"), timeout: TIMEOUT };
    let mut client = NotifyServiceClient::new(upstream.channel(name, mesh).unwrap());
    client.notify(NotifyRequest::default()).await.map_or_else(|status| status.code(), |_| Code::Ok)
}

#[tokio::test]
async fn a_service_lets_in_whom_its_proto_names_and_tells_others_why_not() {
    let (folder, strange) = (certificates(), certificates());
    against(of(folder.path(), "notify-svc"), async |port| {
        let of = |name| of(folder.path(), name);
        assert_eq!(call(&of("epro-svc"), "https", "notify-svc", port).await, Code::Ok);
        assert_eq!(call(&of("gateway"), "https", "notify-svc", port).await, Code::PermissionDenied);
        // With a certificate of another authority.
        assert_eq!(call(&self::of(strange.path(), "epro-svc"), "https", "notify-svc", port).await, Code::Unavailable);
        // Without TLS: the server's answer to cleartext is not HTTP/2.
        assert_ne!(call(&Mesh(None), "http", "notify-svc", port).await, Code::Ok);
    })
    .await;
}

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "a stranger")]
async fn a_caller_without_a_certificate_is_unauthenticated() {
    let folder = certificates();
    let roots = config(Files::of(folder.path(), "gateway")).roots().unwrap();
    let stranger = move || {
        let mut tls = ClientConfig::builder_with_provider(tls::provider())
            .with_protocol_versions(&[&version::TLS13])?
            .with_root_certificates(roots.clone())
            .with_no_client_auth();
        tls.alpn_protocols = vec![tls::HTTP_2.to_vec()];
        Ok(tls)
    };
    let connector = Connector::new(Arc::new(Reloaded::new(vec![], stranger).unwrap()), "notify-svc").unwrap();
    against(of(folder.path(), "notify-svc"), async |port| {
        let endpoint = Endpoint::from_shared(format!("http://127.0.0.1:{port}")).unwrap();
        let mut client = NotifyServiceClient::new(endpoint.connect_with_connector_lazy(connector));
        let status = client.notify(NotifyRequest::default()).await.unwrap_err();
        assert_eq!(status.code(), Code::Unauthenticated);
    })
    .await;
}

#[tokio::test]
async fn a_service_with_another_name_is_not_believed() {
    let folder = certificates();
    against(of(folder.path(), "gateway"), async |port| {
        assert_eq!(call(&of(folder.path(), "epro-svc"), "https", "notify-svc", port).await, Code::Unavailable);
    })
    .await;
}

#[tokio::test]
async fn new_certificates_are_in_use_from_the_next_connection_on() {
    let folder = certificates();
    let caller = of(folder.path(), "epro-svc");
    against(of(folder.path(), "notify-svc"), async |port| {
        assert_eq!(call(&caller, "https", "notify-svc", port).await, Code::Ok);
        let first = shown(&caller, port).await;
        assert_eq!(first, file(folder.path()));
        issue(folder.path());
        assert_eq!(call(&caller, "https", "notify-svc", port).await, Code::Ok);
        let second = shown(&caller, port).await;
        assert_eq!(second, file(folder.path()));
        assert_ne!(first, second);
        let newcomer = of(folder.path(), "epro-svc");
        assert_eq!(call(&newcomer, "https", "notify-svc", port).await, Code::Ok);
    })
    .await;
}

/// The certificate that notify-svc shows to a caller.
async fn shown(caller: &Mesh, port: u16) -> CertificateDer<'static> {
    let tls = TlsConnector::from(caller.0.as_ref().unwrap().client.get());
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.unwrap();
    let stream = tls.connect("notify-svc".try_into().unwrap(), stream).await.unwrap();
    stream.get_ref().1.peer_certificates().unwrap()[0].clone().into_owned()
}

/// The certificate in notify-svc's file.
fn file(folder: &Path) -> CertificateDer<'static> {
    pem::certificates("mesh.certificate", &Files::of(folder, "notify-svc").certificate).unwrap().remove(0)
}

#[tokio::test]
async fn one_address_that_begins_handshakes_and_ends_none_is_cut_off_and_others_get_in() {
    let folder = certificates();
    against(of(folder.path(), "notify-svc"), async |port| {
        let mut begun = Vec::new();
        for _ in 0..300 {
            begun.push(TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.unwrap());
        }
        // Another address gets in before the first handshakes have timed out.
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind((Ipv4Addr::new(127, 0, 0, 2), 0).into()).unwrap();
        let stream = socket.connect((Ipv4Addr::LOCALHOST, port).into()).await.unwrap();
        let tls = TlsConnector::from(of(folder.path(), "epro-svc").0.unwrap().client.get());
        let connecting = tls.connect("notify-svc".try_into().unwrap(), stream);
        tokio::time::timeout(Duration::from_millis(1500), connecting).await.unwrap().unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_health_check_needs_no_name_and_no_address_in_the_certificate() {
    let folder = certificates();
    against(of(folder.path(), "notify-svc"), async |port| {
        let config = config(Files::of(folder.path(), "notify-svc"));
        let ask = async || Probe::Grpc.ask((Ipv4Addr::LOCALHOST, port).into(), None, Some(&config)).await;
        // It is ready from its first readiness check on.
        tokio::time::timeout(TIMEOUT, async { while ask().await.is_err() {} }).await.unwrap();
        assert!(Probe::Grpc.ask((Ipv4Addr::LOCALHOST, port).into(), None, None).await.is_err());
    })
    .await;
}

#[tokio::test]
async fn an_address_that_contradicts_the_mesh_is_an_error_that_names_the_setting() {
    let folder = certificates();
    let mesh = of(folder.path(), "gateway");
    for (url, mesh, error) in [
        (
            "https://data-svc:1",
            &Mesh(None),
            "data_svc.url is https, and there is no mesh block that says whom to trust",
        ),
        ("http://data-svc:1", &mesh, "data_svc.url is http, although there is a mesh block"),
        ("data-svc:1", &mesh, "data_svc.url: data-svc:1 is neither http nor https"),
        ("://", &mesh, "data_svc.url: :// is no URL"),
    ] {
        let upstream = Upstream { url: url.to_owned(), timeout: TIMEOUT };
        assert_eq!(upstream.channel("data-svc", mesh).unwrap_err().to_string(), error);
    }
}

#[test]
fn a_file_that_cannot_be_used_is_named_by_its_setting() {
    let folder = certificates();
    let good = Files::of(folder.path(), "gateway");
    for (files, setting) in [
        (Files { ca: "/nowhere".into(), ..good.clone() }, "mesh.ca: read certificates from /nowhere"),
        (Files { certificate: good.key.clone(), ..good.clone() }, "mesh.certificate: no certificate in"),
        (Files { key: "/nowhere".into(), ..good.clone() }, "mesh.key: read a private key from /nowhere"),
    ] {
        let error = Mesh::open(Some(&config(files))).unwrap_err();
        assert!(format!("{error:#}").starts_with(setting), "{error:#}");
    }
}
