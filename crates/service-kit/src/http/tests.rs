use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use axum::routing::get;
use serde::Deserialize;
use serde::de::value::{Error, MapDeserializer};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::*;
use crate::health::Probe;

const PROBE: Probe = Probe::Http("/readyz");
const LIMITS: ConnectionLimits =
    ConnectionLimits { most: 1, most_of_address: 1, unanswered: 0, farewell: Duration::ZERO };

/// Writes a new self-signed certificate, for a name that no server here has.
fn certificate(folder: &Path, name: &str) -> Tls {
    let made = rcgen::generate_simple_self_signed(["study.example.org".to_owned()]).unwrap();
    let files = [("certificate", made.cert.pem()), ("key", made.signing_key.serialize_pem())].map(|(kind, pem)| {
        let path = folder.join(format!("{name}.{kind}"));
        std::fs::write(&path, pem).unwrap();
        (kind, path.to_str().unwrap().to_owned())
    });
    settings(files)
}

fn settings(files: [(&str, String); 2]) -> Tls {
    Tls::deserialize(MapDeserializer::<_, Error>::new(files.into_iter())).unwrap()
}

/// Runs a test against a server, and stops the server afterwards.
async fn against(tls: Option<&Tls>, most: u16, test: impl AsyncFnOnce(SocketAddr)) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let limits = ConnectionLimits { most, most_of_address: most, unanswered: 8 * 64 * 1024, farewell: Duration::ZERO };
    let acceptor = Acceptor::new(tls, limits, Networks::default()).unwrap();
    let shutdown = Shutdown::new();
    let router = Router::new().route("/readyz", get(async || "ready"));
    let serving = serve(listener, acceptor, router, shutdown.clone());
    let testing = async {
        test(address).await;
        shutdown.cancel();
    };
    tokio::join!(serving, testing).0.unwrap();
}

#[tokio::test]
async fn a_health_check_trusts_the_configured_certificate_and_no_other() {
    let folder = TempDir::new().unwrap();
    let (own, other) = (certificate(folder.path(), "own"), certificate(folder.path(), "other"));
    against(Some(&own), 10, async |address| {
        PROBE.ask(address, Some(&own), None).await.unwrap();
        assert!(PROBE.ask(address, Some(&other), None).await.is_err());
        assert!(PROBE.ask(address, None, None).await.is_err(), "there is no plain HTTP beside it");
    })
    .await;
    against(None, 10, async |address| {
        PROBE.ask(address, None, None).await.unwrap();
        assert!(PROBE.ask(address, Some(&own), None).await.is_err());
    })
    .await;
}

#[tokio::test]
async fn a_new_certificate_is_shown_from_the_next_connection_on() {
    let folder = TempDir::new().unwrap();
    let own = certificate(folder.path(), "own");
    let file = folder.path().join("own.certificate");
    against(Some(&own), 10, async |address| {
        PROBE.ask(address, Some(&own), None).await.unwrap();
        let before = std::fs::read(&file).unwrap();
        certificate(folder.path(), "own");
        assert_ne!(std::fs::read(&file).unwrap(), before);
        // The probe trusts only the certificate in the file.
        PROBE.ask(address, Some(&own), None).await.unwrap();
    })
    .await;
}

#[test]
fn a_file_that_cannot_be_used_is_named_by_its_setting() {
    let folder = TempDir::new().unwrap();
    let [certificate, key] = ["own.certificate", "own.key"].map(|name| folder.path().join(name));
    let [certificate, key] = [certificate, key].map(|path| path.to_str().unwrap().to_owned());
    self::certificate(folder.path(), "own");
    self::certificate(folder.path(), "other");
    let other_key = key.replace("own", "other");
    for (certificate, key, setting) in [
        ("/nowhere", key.as_str(), "tls.certificate: read certificates from /nowhere"),
        (&key, &key, "tls.certificate: no certificate in"),
        (&certificate, "/nowhere", "tls.key: read a private key from /nowhere"),
        (&certificate, &certificate, "tls.key"),
        (&certificate, &other_key, "tls.certificate and tls.key"),
    ] {
        let tls = settings([("certificate", certificate.to_owned()), ("key", key.to_owned())]);
        let error = Acceptor::new(Some(&tls), LIMITS, Networks::default()).unwrap_err();
        assert!(format!("{error:#}").starts_with(setting), "{error:#}");
    }
}

#[tokio::test]
async fn a_connection_too_many_is_closed_and_its_slot_comes_back() {
    against(None, 1, async |address| {
        let mut held = TcpStream::connect(address).await.unwrap();
        held.write_all(b"GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        assert_ne!(held.read(&mut [0; 1]).await.unwrap(), 0);
        assert!(PROBE.ask(address, None, None).await.is_err());
        drop(held);
        // The server may notice that a moment later.
        while PROBE.ask(address, None, None).await.is_err() {}
    })
    .await;
}

/// Whether the server closes the connection within a moment, without an answer.
async fn is_closed(connection: &mut TcpStream) -> bool {
    matches!(timeout(Duration::from_millis(500), connection.read(&mut [0; 1])).await, Ok(Ok(0) | Err(_)))
}

#[tokio::test]
async fn unfinished_heads_take_up_so_much_and_no_more() {
    against(None, 100, async |address| {
        let mut unfinished = Vec::new();
        for _ in 0..6 {
            let mut connection = TcpStream::connect(address).await.unwrap();
            let head = format!("GET /readyz HTTP/1.1\r\nHost: x\r\nX: {}", "x".repeat(48 * 1024));
            // The server may close it before it has read everything.
            let _ = connection.write_all(head.as_bytes()).await;
            unfinished.push(connection);
        }
        let mut open = 0;
        for connection in &mut unfinished {
            open += u8::from(!is_closed(connection).await);
        }
        assert_eq!(
            open, 1,
            "two would need more than the 64 KiB that one address has beside what each connection has for itself"
        );
        // Small requests are still served. A large one is served again when the others have gone.
        PROBE.ask(address, None, None).await.unwrap();
        drop(unfinished);
        let large =
            format!("GET /readyz HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX: {}\r\n\r\n", "x".repeat(48 * 1024));
        loop {
            let mut connection = TcpStream::connect(address).await.unwrap();
            let _ = connection.write_all(large.as_bytes()).await;
            let mut answer = Vec::new();
            let _ = connection.read_to_end(&mut answer).await;
            if answer.starts_with(b"HTTP/1.1 200 ") {
                break;
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_connection_that_is_answered_may_send_as_much_again() {
    against(None, 1, async |address| {
        let mut connection = TcpStream::connect(address).await.unwrap();
        for _ in 0..20 {
            let request = format!("GET /readyz HTTP/1.1\r\nHost: x\r\nX: {}\r\n\r\n", "x".repeat(48 * 1024));
            connection.write_all(request.as_bytes()).await.unwrap();
            let mut answer = Vec::new();
            while !answer.ends_with(b"ready") {
                assert_ne!(connection.read_buf(&mut answer).await.unwrap(), 0);
            }
        }
    })
    .await;
}

/// Sends a request on a connection that stays open; returns the answer.
async fn ask(connection: &mut TcpStream) -> String {
    connection.write_all(b"GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"ready") {
        assert_ne!(connection.read_buf(&mut answer).await.unwrap(), 0);
    }
    String::from_utf8(answer).unwrap().to_lowercase()
}

#[tokio::test]
async fn a_server_that_is_to_stop_goes_on_for_a_while_and_says_that_each_answer_is_the_last_of_its_connection() {
    const LAST: &str = "connection: close";
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let limits = ConnectionLimits { most: 10, most_of_address: 10, farewell: Duration::from_secs(1), ..LIMITS };
    let acceptor = Acceptor::new(None, limits, Networks::default()).unwrap();
    let shutdown = Shutdown::new();
    let router = Router::new().route("/readyz", get(async || "ready"));
    let serving = serve(listener, acceptor, router, shutdown.clone());
    let testing = async {
        let [mut used, mut idle] =
            [TcpStream::connect(address).await.unwrap(), TcpStream::connect(address).await.unwrap()];
        for connection in [&mut used, &mut idle] {
            assert!(!ask(connection).await.contains(LAST));
        }
        shutdown.cancel();
        let mut new = TcpStream::connect(address).await.unwrap();
        for connection in [&mut used, &mut new] {
            assert!(ask(connection).await.contains(LAST));
            assert_eq!(connection.read(&mut [0; 1]).await.unwrap(), 0);
        }
        // The idle connection gets no answer that could announce its end. It is closed in the end.
        assert_eq!(idle.read(&mut [0; 1]).await.unwrap(), 0);
    };
    tokio::join!(serving, testing).0.unwrap();
    TcpStream::connect(address).await.unwrap_err();
}
