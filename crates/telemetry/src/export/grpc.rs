use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use ::http::uri::PathAndQuery;
use ::http::{HeaderName, HeaderValue};
use bytes::{Buf, BufMut, Bytes};
use tonic::codec::{Codec, CompressionEncoding, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Status};
use tonic_types::StatusExt;

use super::otlp::{CONNECT, Failure, Retry, chain, is_secure};
use super::tls;
use crate::config::settings::Otlp;
use crate::grpc_status::code_name;

/// How long a receiver may take to answer a ping.
const PING_TIMEOUT: Duration = Duration::from_secs(2);
/// The number of HTTP/2 keep-alive pings within the timeout of an export. They are sent only during an export and
/// detect a receiver that is gone without closing the connection, early enough to retry the export. More are not
/// possible: a grpc-go server, such as most collectors, closes the connection at the fourth ping without an answer in
/// between, and at any ping while nothing is sent.
const PINGS: u32 = 3;

/// OTLP over gRPC.
#[derive(Debug)]
pub(super) struct Grpc {
    endpoint: Endpoint,
    channel: Mutex<Channel>,
    method: PathAndQuery,
    headers: Vec<(HeaderName, HeaderValue)>,
    gzip: bool,
}

impl Grpc {
    pub(super) fn new(otlp: &Otlp, method: &'static str) -> Result<Self, String> {
        let mut endpoint = Endpoint::from(otlp.endpoint.clone()).connect_timeout(CONNECT).tcp_nodelay(true);
        if let Some(timeout) = otlp.timeout {
            endpoint = endpoint.http2_keep_alive_interval(timeout / PINGS).keep_alive_timeout(PING_TIMEOUT);
        }
        if is_secure(&otlp.endpoint) {
            endpoint = endpoint.tls_config(tls::of_grpc(&otlp.tls)?).map_err(|error| chain(&error))?;
        }
        let method = PathAndQuery::from_static(method);
        let channel = Mutex::new(endpoint.connect_lazy());
        Ok(Self { endpoint, channel, method, headers: otlp.headers.clone(), gzip: otlp.gzip })
    }

    /// Uses a new connection for the next request, because the current one may be dead.
    pub(super) fn reconnect(&self) {
        *self.channel.lock().unwrap_or_else(PoisonError::into_inner) = self.endpoint.connect_lazy();
    }

    pub(super) async fn send(&self, message: Bytes) -> Result<Bytes, Failure> {
        let channel = self.channel.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut client = tonic::client::Grpc::new(channel);
        client = client.accept_compressed(CompressionEncoding::Gzip);
        if self.gzip {
            client = client.send_compressed(CompressionEncoding::Gzip);
        }
        client.ready().await.map_err(|error| Failure::unavailable(&error))?;
        let mut request = Request::new(message);
        let mut headers = std::mem::take(request.metadata_mut()).into_headers();
        headers.extend(self.headers.iter().cloned());
        *request.metadata_mut() = tonic::metadata::MetadataMap::from_headers(headers);
        let answer = client.unary(request, self.method.clone(), Encoded).await;
        answer.map(tonic::Response::into_inner).map_err(|status| failure(&status))
    }
}

/// Classifies a failure. <https://opentelemetry.io/docs/specs/otlp/#failures> lists what may be retried.
fn failure(status: &Status) -> Failure {
    let pause = status.get_details_retry_info().and_then(|info| info.retry_delay);
    let retry = match status.code() {
        Code::Cancelled
        | Code::DeadlineExceeded
        | Code::Aborted
        | Code::OutOfRange
        | Code::Unavailable
        | Code::DataLoss => pause.map_or(Retry::Later, Retry::After),
        // The connection has failed, so this is not the receiver's answer to the export.
        _ if std::error::Error::source(status).is_some() => Retry::Later,
        // Retried only if the receiver says when.
        Code::ResourceExhausted => pause.map_or(Retry::Never, Retry::After),
        _ => Retry::Never,
    };
    let message = match std::error::Error::source(status) {
        Some(cause) => chain(cause),
        None => format!("{}: {}", code_name(status.code()), status.message()),
    };
    Failure { class: code_name(status.code()), message, retry }
}

/// Messages that are encoded already.
struct Encoded;

impl Codec for Encoded {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Encoded {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, into: &mut EncodeBuf<'_>) -> Result<(), Status> {
        into.put(item);
        Ok(())
    }
}

impl Decoder for Encoded {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(from.copy_to_bytes(from.remaining())))
    }
}
