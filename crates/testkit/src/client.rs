//! The API as a phone uses it.

use std::time::Duration;

use anyhow::{Context, ensure};
use chrono::{SecondsFormat, Utc};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use uuid::Uuid;

/// Longer than any deadline of the services, so that theirs is what a test sees.
const TIMEOUT: Duration = Duration::from_secs(30);

/// An access token.
#[derive(Debug, Clone)]
pub struct Token(pub String);

/// An answer, read to its end.
#[derive(Debug, Clone)]
pub struct Response {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Response {
    /// The body as JSON; null when it is something else.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// A header's text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The trace id in the header `traceresponse`.
    pub fn trace_id(&self) -> Option<String> {
        Some(self.header("traceresponse")?.split('-').nth(1)?.to_owned())
    }

    /// The answer itself when it has this status.
    ///
    /// # Errors
    /// When it has another; the message shows the answer.
    pub fn expect_status(self, status: u16) -> anyhow::Result<Self> {
        let body = String::from_utf8_lossy(&self.body);
        ensure!(self.status == status, "status {} instead of {status}: {body}", self.status);
        Ok(self)
    }
}

/// A client of one gateway.
#[derive(Debug, Clone)]
pub struct Client {
    base_url: String,
    http: reqwest::Client,
}

impl Client {
    /// `base_url` is the gateway's, such as `http://127.0.0.1:8080`.
    pub fn new(base_url: impl Into<String>) -> Self {
        Self { base_url: base_url.into(), http: plain_http() }
    }

    /// Exchanges a login and PIN for a token.
    ///
    /// # Errors
    /// When the answer is not 200 with a token.
    pub async fn login(&self, login: &str, pin: &str) -> anyhow::Result<Token> {
        let response = self.post("/v1/sessions", &json!({"login": login, "pin": pin})).await?.expect_status(200)?;
        let token = response.json()["access_token"].as_str().context("the answer has no access_token")?.to_owned();
        Ok(Token(token))
    }

    /// Submits a report; see [`report`] for a valid one.
    ///
    /// # Errors
    /// When no answer arrives. A refusal is an answer.
    pub async fn submit(&self, token: &Token, idempotency_key: &str, report: &Value) -> anyhow::Result<Response> {
        let request = self.request(Method::POST, "/v1/reports").bearer_auth(&token.0);
        receive(request.header("Idempotency-Key", idempotency_key).json(report)).await
    }

    /// Submits a valid report of one assignment under a key of its own.
    ///
    /// # Errors
    /// When no answer arrives. A refusal is an answer.
    pub async fn submit_new(&self, token: &Token, assignment_id: Uuid) -> anyhow::Result<Response> {
        self.submit(token, &Uuid::new_v4().to_string(), &report(assignment_id)).await
    }

    /// # Errors
    /// When no answer arrives.
    pub async fn get(&self, path: &str, token: Option<&Token>) -> anyhow::Result<Response> {
        let request = self.request(Method::GET, path);
        receive(match token {
            Some(token) => request.bearer_auth(&token.0),
            None => request,
        })
        .await
    }

    /// Posts JSON without credentials.
    ///
    /// # Errors
    /// When no answer arrives.
    pub async fn post(&self, path: &str, body: &Value) -> anyhow::Result<Response> {
        receive(self.request(Method::POST, path).json(body)).await
    }

    /// Sends exactly these headers and bytes, for input that no phone would send.
    ///
    /// # Errors
    /// When the method or a header cannot be put on the wire, or no answer arrives.
    pub async fn raw(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Vec<u8>>,
    ) -> anyhow::Result<Response> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(HeaderName::from_bytes(name.as_bytes())?, HeaderValue::from_bytes(value.as_bytes())?);
        }
        receive(self.request(method.parse()?, path).headers(map).body(body.into())).await
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.base_url))
    }
}

/// A valid report of the demo's diary for one assignment, captured just now.
pub fn report(assignment_id: Uuid) -> Value {
    json!({
        "assignment_id": assignment_id,
        "captured_at": Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true),
        "answers": {"pain": 7, "rescue": true, "rescue_doses": 2, "temperature": 37.9, "note": "Worse in the evening."},
        "attested": true,
    })
}

async fn receive(request: RequestBuilder) -> anyhow::Result<Response> {
    let response = request.send().await?;
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    Ok(Response { status, headers, body: response.bytes().await?.to_vec() })
}

/// An HTTP client for the loopback interface: no proxy, a deadline.
pub fn plain_http() -> reqwest::Client {
    // reqwest comes with TLS but without cryptography where the archive of Postgres is fetched with it,
    // and refuses to make a client then. An earlier choice of the process stands.
    let _ = rustls::crypto::ring::default_provider().install_default();
    // Fails only when TLS cannot be set up.
    reqwest::Client::builder().no_proxy().timeout(TIMEOUT).build().unwrap_or_default()
}
