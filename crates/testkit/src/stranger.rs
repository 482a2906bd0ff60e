//! A client on the network without a certificate.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context;
use http::uri::PathAndQuery;
use tonic::client::Grpc;
use tonic::transport::{Certificate, ClientTlsConfig, Endpoint};
use tonic::{Code, Request};
use tonic_prost::ProstCodec;

const TIMEOUT: Duration = Duration::from_secs(5);

/// Calls an RPC such as `/epro.data.v1.DataService/ListReports` with an empty message over TLS, without a client
/// certificate, and returns the gRPC status code. The client trusts the authority `ca`, in PEM, and expects `name` in
/// the server's certificate.
///
/// # Errors
/// When no connection can be made.
#[expect(clippy::disallowed_methods, reason = "a stranger has no trace")]
pub async fn call(address: SocketAddr, ca: &[u8], name: &str, rpc: &'static str) -> anyhow::Result<Code> {
    let tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(ca)).domain_name(name);
    let endpoint = Endpoint::from_shared(format!("https://{address}"))?.timeout(TIMEOUT).tls_config(tls)?;
    let mut client = Grpc::new(endpoint.connect().await.with_context(|| format!("connect to {name}"))?);
    client.ready().await.with_context(|| format!("use the connection to {name}"))?;
    let answer = client.unary(Request::new(()), PathAndQuery::from_static(rpc), ProstCodec::<(), ()>::default()).await;
    Ok(answer.map_or_else(|status| status.code(), |_| Code::Ok))
}
