//! A client of the gateway's public API.

use std::time::{Duration, Instant};

use backon::{ExponentialBuilder, Retryable};
use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::{Client, Method, Request, RequestBuilder, StatusCode, Url};
use serde_json::Value;

use crate::line::Line;

/// Longer than the gateway takes for any answer.
const TIMEOUT: Duration = Duration::from_secs(15);

/// The first and the longest pause between two checks of a gateway that is down.
const PAUSES: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(5));

/// The error means that there was no answer.
pub(crate) type Result<T> = std::result::Result<T, reqwest::Error>;

/// An answer, which may be an error status.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    /// How long to wait before the next request.
    pub(crate) retry_after: Option<Duration>,
    /// Null when the body is not JSON.
    pub(crate) body: Value,
}

/// A client of the gateway.
#[derive(Debug)]
pub(crate) struct Gateway {
    url: String,
    http: Client,
}

impl Gateway {
    /// # Errors
    /// When the machine's TLS or DNS settings cannot be read.
    pub(crate) fn new(url: &Url) -> anyhow::Result<Self> {
        // reqwest is built without a cryptography provider. This fails only when one is installed already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        // The gateway is on the same network, so a proxy of the containers must not be used.
        let http = Client::builder().no_proxy().timeout(TIMEOUT).build()?;
        Ok(Self { url: url.as_str().trim_end_matches('/').to_owned(), http })
    }

    /// A request to be sent with [`Gateway::send`].
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.url))
    }

    /// Sends a request of an action and logs the result.
    ///
    /// # Errors
    /// When there is no answer.
    pub(crate) async fn send(&self, action: &str, request: RequestBuilder) -> Result<Answer> {
        let request = request.build()?;
        let name = format!("{} {}", request.method(), request.url().path());
        let started = Instant::now();
        let received = self.receive(request).await;
        let line = Line::new(action).request(&name, started.elapsed());
        match &received {
            Ok((answer, trace_id)) => line.answer(answer.status.as_u16(), trace_id.as_deref()),
            Err(error) => line.error(error),
        }
        .write();
        received.map(|(answer, _)| answer)
    }

    /// Sends a request. Returns the answer and its trace id.
    async fn receive(&self, request: Request) -> Result<(Answer, Option<String>)> {
        let response = self.http.execute(request).await?;
        let (status, headers) = (response.status(), response.headers().clone());
        let body = serde_json::from_slice(&response.bytes().await?).unwrap_or_default();
        let trace_id = text(&headers, "traceresponse").and_then(|trace| trace.split('-').nth(1)).map(str::to_owned);
        let retry_after = text(&headers, RETRY_AFTER.as_str()).and_then(|seconds| seconds.parse().ok());
        Ok((Answer { status, retry_after: retry_after.map(Duration::from_secs), body }, trace_id))
    }

    /// Checks that the gateway and all services behind it are ready. `/readyz` makes no trace.
    ///
    /// # Errors
    /// When they are not.
    pub(crate) async fn ready(&self) -> Result<()> {
        let answer = self.request(Method::GET, "/readyz").send().await?;
        answer.error_for_status().map(drop)
    }

    /// Waits until the gateway is ready, without a time limit. Logs a line when the first check fails.
    pub(crate) async fn wait_until_ready(&self) {
        let (first, longest) = PAUSES;
        let pauses = ExponentialBuilder::default().with_min_delay(first).with_max_delay(longest).without_max_times();
        let mut told = false;
        let ready = (|| self.ready()).retry(pauses.with_jitter()).notify(|error, _| {
            if !std::mem::replace(&mut told, true) {
                Line::new("wait for the gateway").error(error).write();
            }
        });
        // The number of retries is not limited, so this only ends when the gateway is ready.
        let _ = ready.await;
    }
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}
