use std::io::Write;
use std::time::SystemTime;

use ::http::{HeaderMap, HeaderValue};
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE};
use reqwest::{Client, StatusCode, Url};

use super::otlp::{CONNECT, Failure, Retry};
use super::tls;
use crate::config::settings::Otlp;
use crate::retry_after::retry_after;

/// The longest answer that is read, in bytes.
const ANSWER: usize = 64 * 1024;

/// OTLP over HTTP with protobuf bodies.
#[derive(Debug)]
pub(super) struct Http {
    client: Client,
    url: Url,
    headers: HeaderMap,
    gzip: bool,
}

impl Http {
    pub(super) fn new(otlp: &Otlp) -> Result<Self, String> {
        let client = Client::builder()
            .tls_backend_preconfigured(tls::of_http(&otlp.tls)?)
            .connect_timeout(CONNECT)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|error| super::otlp::chain(&error))?;
        let mut headers: HeaderMap = otlp.headers.iter().cloned().collect();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-protobuf"));
        if otlp.gzip {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        let url = otlp.endpoint.to_string().parse().map_err(|error| format!("{}: {error}", otlp.endpoint))?;
        Ok(Self { client, url, headers, gzip: otlp.gzip })
    }

    pub(super) async fn send(&self, message: Bytes) -> Result<Bytes, Failure> {
        let body = if self.gzip { compressed(&message) } else { message };
        let request = self.client.post(self.url.clone()).headers(self.headers.clone()).body(body);
        let mut answer = request.send().await.map_err(|error| Failure::unavailable(&error.without_url()))?;
        let status = answer.status();
        if !status.is_success() {
            return Err(failure(status, answer.headers()));
        }
        let mut body = Vec::new();
        while let Some(part) = answer.chunk().await.map_err(|error| Failure::unavailable(&error.without_url()))? {
            if body.len() + part.len() > ANSWER {
                // The receiver has taken the spans, but a body of this length is not an OTLP response.
                return Ok(Bytes::new());
            }
            body.extend_from_slice(&part);
        }
        Ok(body.into())
    }
}

fn compressed(message: &Bytes) -> Bytes {
    let mut encoder = GzEncoder::new(Vec::with_capacity(message.len() / 4), Compression::fast());
    // Writing to memory does not fail.
    let _ = encoder.write_all(message);
    encoder.finish().unwrap_or_default().into()
}

/// Classifies a failure. <https://opentelemetry.io/docs/specs/otlp/#failures-1> lists what may be retried.
fn failure(status: StatusCode, headers: &HeaderMap) -> Failure {
    let pause = retry_after(headers, SystemTime::now());
    let (class, is_temporary) = match status {
        StatusCode::TOO_MANY_REQUESTS => ("429", true),
        StatusCode::BAD_GATEWAY => ("502", true),
        StatusCode::SERVICE_UNAVAILABLE => ("503", true),
        StatusCode::GATEWAY_TIMEOUT => ("504", true),
        StatusCode::BAD_REQUEST => ("400", false),
        StatusCode::UNAUTHORIZED => ("401", false),
        StatusCode::FORBIDDEN => ("403", false),
        StatusCode::NOT_FOUND => ("404", false),
        StatusCode::PAYLOAD_TOO_LARGE => ("413", false),
        StatusCode::INTERNAL_SERVER_ERROR => ("500", false),
        _ => ("_OTHER", false),
    };
    let retry = match pause {
        _ if !is_temporary => Retry::Never,
        Some(pause) => Retry::After(pause),
        None => Retry::Later,
    };
    Failure { class, message: format!("the receiver answers {status}"), retry }
}
