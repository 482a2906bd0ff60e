//! Answers of the gateway.

use anyhow::{Context, ensure};
use reqwest::RequestBuilder;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;

use super::{Operations, Token};

/// The tokens from a login or a refresh.
#[derive(Debug, Clone)]
pub struct Session {
    pub access: Token,
    /// Can be used for one refresh.
    pub refresh: String,
}

impl Session {
    /// # Errors
    /// When the answer has no tokens. The message shows the answer.
    pub fn of(answer: &Response) -> anyhow::Result<Self> {
        Ok(Self { access: Token(answer.text("access_token")?), refresh: answer.text("refresh_token")? })
    }
}

/// An answer with its complete body.
#[derive(Debug, Clone)]
pub struct Response {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Response {
    /// The body as JSON; null when it is not JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// The value of a header, if it is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The trace id in the header `traceresponse`.
    pub fn trace_id(&self) -> Option<String> {
        Some(self.header("traceresponse")?.split('-').nth(1)?.to_owned())
    }

    /// A string in the JSON body.
    ///
    /// # Errors
    /// When there is no string with this name. The message shows the answer.
    pub fn text(&self, name: &str) -> anyhow::Result<String> {
        let text = self.json()[name].as_str().map(str::to_owned);
        text.with_context(|| format!("no {name} in {}", String::from_utf8_lossy(&self.body)))
    }

    /// Returns the answer if it has this status.
    ///
    /// # Errors
    /// When it has another status. The message shows the answer.
    pub fn expect_status(self, status: u16) -> anyhow::Result<Self> {
        let body = String::from_utf8_lossy(&self.body);
        ensure!(self.status == status, "status {} instead of {status}: {body}", self.status);
        Ok(self)
    }
}

/// Sends a request. The answer is an error when it is a problem that its operation, of those that are known, does not list.
pub(super) async fn receive(request: RequestBuilder, operations: Option<&Operations>) -> anyhow::Result<Response> {
    let (http, request) = request.build_split();
    let request = request?;
    let (method, path) = (request.method().clone(), request.url().path().to_owned());
    let response = http.execute(request).await?;
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let response = Response { status, headers, body: response.bytes().await?.to_vec() };
    if let Some(operations) = operations {
        operations.check(&method, &path, &response)?;
    }
    Ok(response)
}

/// Parses an answer without a chunked body.
pub(crate) fn parse(answer: &[u8]) -> anyhow::Result<Response> {
    let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n").context("no end of a head")?;
    let (head, body) = (std::str::from_utf8(&answer[..end])?, &answer[end + 4..]);
    let mut lines = head.lines();
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).context("no status")?.parse()?;
    let mut headers = HeaderMap::new();
    for line in lines {
        let (name, value) = line.split_once(':').context("no header")?;
        headers.append(HeaderName::from_bytes(name.as_bytes())?, HeaderValue::from_str(value.trim())?);
    }
    let length = headers.get("content-length").and_then(|length| length.to_str().ok()).unwrap_or("0").parse()?;
    let body = body.get(..length).context("the body is cut off")?.to_vec();
    Ok(Response { status, headers, body })
}
