//! The services can export to another back end with the same binaries, by environment variables alone.

#![expect(clippy::disallowed_methods, reason = "a receiver's tasks belong to no trace")]

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context;
use e2e::{DEADLINE, NURSES_PER_SITE, PATIENT};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use testkit::contract;
use testkit::otlp::Receiver;
use testkit::stack::Stack;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

/// An OTLP/HTTP endpoint like those of hosted back ends: TLS in front of a receiver.
struct Endpoint {
    address: SocketAddr,
    /// The certificate, in PEM.
    certificate: String,
    /// The head of the first request on each connection.
    heads: Arc<Mutex<Vec<String>>>,
    _server: JoinSet<()>,
}

impl Endpoint {
    async fn before(receiver: &Receiver) -> anyhow::Result<Self> {
        let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()])?;
        let key = PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)?;
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let target = receiver.http_endpoint().trim_start_matches("http://").to_owned();
        let (address, heads) = (listener.local_addr()?, Arc::default());
        let (mut server, note) = (JoinSet::new(), Arc::clone(&heads));
        server.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, target, note) = (acceptor.clone(), target.clone(), Arc::clone(&note));
                connections.spawn(async move { forward(stream, &acceptor, &target, &note).await });
            }
        });
        Ok(Self { address, certificate: made.cert.pem(), heads, _server: server })
    }

    fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

async fn forward(
    stream: TcpStream,
    acceptor: &TlsAcceptor,
    target: &str,
    heads: &Mutex<Vec<String>>,
) -> anyhow::Result<()> {
    let mut near = acceptor.accept(stream).await?;
    let head = head(&mut near).await?;
    heads.lock().unwrap_or_else(PoisonError::into_inner).push(head.to_ascii_lowercase());
    let mut far = TcpStream::connect(target).await?;
    far.write_all(head.as_bytes()).await?;
    copy_bidirectional(&mut near, &mut far).await?;
    Ok(())
}

/// Reads up to the empty line.
async fn head(stream: &mut (impl AsyncRead + Unpin)) -> anyhow::Result<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    String::from_utf8(head).context("a head of text")
}

#[tokio::test]
async fn variables_alone_send_the_traces_to_an_otlp_http_endpoint_with_tls_gzip_and_headers() -> anyhow::Result<()> {
    let receiver = Receiver::start().await?;
    let endpoint = Endpoint::before(&receiver).await?;
    let certificate = tempfile::NamedTempFile::new()?;
    std::fs::write(certificate.path(), &endpoint.certificate)?;
    let stack = Stack::builder()
        .receiver(receiver)
        .env_all("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")
        .env_all("OTEL_EXPORTER_OTLP_ENDPOINT", format!("https://{}", endpoint.address))
        .env_all("OTEL_EXPORTER_OTLP_CERTIFICATE", certificate.path().display().to_string())
        .env_all("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")
        .env_all("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20a-key,x-dataset=epro")
        .start()
        .await?;
    let client = stack.client();
    let token = client.login(PATIENT.login, PATIENT.pin).await?;
    let answer = client.submit_new(&token, PATIENT.assignment).await?.expect_status(201)?;
    let trace_id = answer.trace_id().context("the answer has no trace")?;
    stack.otlp.wait_for_shape(&trace_id, DEADLINE, &contract::submit_report(NURSES_PER_SITE)).await?;

    let heads = endpoint.heads();
    for part in
        ["post /v1/traces ", "content-encoding: gzip\r\n", "authorization: bearer a-key\r\n", "x-dataset: epro\r\n"]
    {
        assert!(heads.iter().all(|head| head.contains(part)), "{part:?} is not in each of {heads:#?}");
    }
    stack.stop().await?;
    Ok(())
}
