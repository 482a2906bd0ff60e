//! A client of the API that behaves like a phone.

mod response;

mod operations;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use chrono::{SecondsFormat, Utc};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, RequestBuilder};
pub(crate) use response::parse;
use response::receive;
pub use response::{Response, Session};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use uuid::Uuid;

pub use operations::Operations;

/// Longer than any deadline of the services, so that tests see the services' timeouts.
const TIMEOUT: Duration = Duration::from_secs(30);

/// An access token.
#[derive(Debug, Clone)]
pub struct Token(pub String);

/// A client of one gateway.
#[derive(Debug, Clone)]
pub struct Client {
    base_url: String,
    http: reqwest::Client,
    operations: Option<Arc<Operations>>,
}

impl Client {
    /// `base_url` is the gateway's, such as `http://127.0.0.1:8080`.
    pub fn new(base_url: impl Into<String>) -> Self {
        Self::with(base_url.into(), plain_http())
    }

    /// A client with this address in the loopback network, such as 127.0.0.2.
    ///
    /// # Errors
    /// When the HTTP client cannot be built.
    pub fn from_address(base_url: impl Into<String>, address: IpAddr) -> anyhow::Result<Self> {
        Ok(Self::with(base_url.into(), http_builder().local_address(address).build()?))
    }

    /// A client that only trusts this certificate authority or self-signed certificate.
    ///
    /// # Errors
    /// When `certificate` is not PEM.
    pub fn trusting(base_url: impl Into<String>, certificate: &[u8]) -> anyhow::Result<Self> {
        let certificates = reqwest::Certificate::from_pem_bundle(certificate)?;
        Ok(Self::with(base_url.into(), http_builder().tls_certs_only(certificates).build()?))
    }

    fn with(base_url: String, http: reqwest::Client) -> Self {
        Self { base_url, http, operations: None }
    }

    /// From now on an answer is an error when it is a problem that its operation does not list.
    #[must_use]
    pub fn holding(mut self, operations: Arc<Operations>) -> Self {
        self.operations = Some(operations);
        self
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

    /// Exchanges a login and PIN for a session.
    ///
    /// # Errors
    /// When the answer is not 200 with tokens.
    pub async fn open_session(&self, login: &str, pin: &str) -> anyhow::Result<Session> {
        let response = self.post("/v1/sessions", &json!({"login": login, "pin": pin})).await?;
        Session::of(&response.expect_status(200)?)
    }

    /// Exchanges a refresh token for new tokens; see [`Session::of`].
    ///
    /// # Errors
    /// When no answer arrives. An error status is an answer.
    pub async fn refresh(&self, refresh_token: &str) -> anyhow::Result<Response> {
        self.post("/v1/sessions/refresh", &json!({"refresh_token": refresh_token})).await
    }

    /// Ends the token's session.
    ///
    /// # Errors
    /// When no answer arrives. An error status is an answer.
    pub async fn log_out(&self, token: &Token) -> anyhow::Result<Response> {
        self.receive(self.request(Method::DELETE, "/v1/sessions/current").bearer_auth(&token.0)).await
    }

    /// Chooses a PIN with an activation code.
    ///
    /// # Errors
    /// When no answer arrives. An error status is an answer.
    pub async fn activate(&self, activation_code: &str, pin: &str) -> anyhow::Result<Response> {
        self.post("/v1/activations", &json!({"activation_code": activation_code, "pin": pin})).await
    }

    /// Unlocks a patient's login, as a nurse.
    ///
    /// # Errors
    /// When no answer arrives. An error status is an answer.
    pub async fn free_login(&self, nurse: &Token, site_id: Uuid, person_id: Uuid) -> anyhow::Result<Response> {
        let path = format!("/v1/sites/{site_id}/patients/{person_id}/lockout");
        self.receive(self.request(Method::DELETE, &path).bearer_auth(&nurse.0)).await
    }

    /// Submits a report; see [`report`] for a valid one.
    ///
    /// # Errors
    /// When no answer arrives. An error status is an answer.
    pub async fn submit(&self, token: &Token, idempotency_key: &str, report: &Value) -> anyhow::Result<Response> {
        let request = self.request(Method::POST, "/v1/reports").bearer_auth(&token.0);
        self.receive(request.header("Idempotency-Key", idempotency_key).json(report)).await
    }

    /// Submits a valid report of an assignment with a new idempotency key.
    ///
    /// # Errors
    /// When no answer arrives. An error status is an answer.
    pub async fn submit_new(&self, token: &Token, assignment_id: Uuid) -> anyhow::Result<Response> {
        self.submit(token, &Uuid::new_v4().to_string(), &report(assignment_id)).await
    }

    /// # Errors
    /// When no answer arrives.
    pub async fn get(&self, path: &str, token: Option<&Token>) -> anyhow::Result<Response> {
        let request = self.request(Method::GET, path);
        self.receive(match token {
            Some(token) => request.bearer_auth(&token.0),
            None => request,
        })
        .await
    }

    /// Sends a GET with this `Accept-Language`.
    ///
    /// # Errors
    /// When no answer arrives.
    pub async fn get_in(&self, path: &str, token: &Token, languages: &str) -> anyhow::Result<Response> {
        let request = self.request(Method::GET, path).bearer_auth(&token.0);
        self.receive(request.header("Accept-Language", languages)).await
    }

    /// Posts JSON without a token.
    ///
    /// # Errors
    /// When no answer arrives.
    pub async fn post(&self, path: &str, body: &Value) -> anyhow::Result<Response> {
        self.receive(self.request(Method::POST, path).json(body)).await
    }

    /// Posts JSON with a token.
    ///
    /// # Errors
    /// When no answer arrives.
    pub async fn post_as(&self, token: &Token, path: &str, body: &Value) -> anyhow::Result<Response> {
        self.receive(self.request(Method::POST, path).bearer_auth(&token.0).json(body)).await
    }

    /// Amends a report if it has this tag, such as `"1"` with its quotes, with a new idempotency key.
    ///
    /// # Errors
    /// When no answer arrives. An error status is an answer.
    pub async fn amend(
        &self,
        token: &Token,
        report_id: &str,
        if_match: &str,
        amendment: &Value,
    ) -> anyhow::Result<Response> {
        self.amend_under(token, &Uuid::new_v4().to_string(), report_id, if_match, amendment).await
    }

    /// As [`amend`](Self::amend), with this idempotency key.
    ///
    /// # Errors
    /// When no answer arrives. An error status is an answer.
    pub async fn amend_under(
        &self,
        token: &Token,
        idempotency_key: &str,
        report_id: &str,
        if_match: &str,
        amendment: &Value,
    ) -> anyhow::Result<Response> {
        let request = self.request(Method::POST, &format!("/v1/reports/{report_id}/amendments"));
        let request = request.bearer_auth(&token.0).header("Idempotency-Key", idempotency_key);
        self.receive(request.header("If-Match", if_match).json(amendment)).await
    }

    /// Reviews a report as a nurse, with a new idempotency key.
    ///
    /// # Errors
    /// When no answer arrives. An error status is an answer.
    pub async fn review(&self, token: &Token, report_id: &str, outcome: &str) -> anyhow::Result<Response> {
        self.review_under(token, &Uuid::new_v4().to_string(), report_id, outcome).await
    }

    /// As [`review`](Self::review), with this idempotency key.
    ///
    /// # Errors
    /// When no answer arrives. An error status is an answer.
    pub async fn review_under(
        &self,
        token: &Token,
        idempotency_key: &str,
        report_id: &str,
        outcome: &str,
    ) -> anyhow::Result<Response> {
        let request = self.request(Method::POST, &format!("/v1/reports/{report_id}/reviews")).bearer_auth(&token.0);
        self.receive(request.header("Idempotency-Key", idempotency_key).json(&json!({"outcome": outcome}))).await
    }

    /// Sends exactly these headers and bytes, for input that a phone would not send.
    ///
    /// # Errors
    /// When the method or a header cannot be sent, or no answer arrives.
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
        self.receive(self.request(method.parse()?, path).headers(map).body(body.into())).await
    }

    /// Sends exactly these bytes on a new connection, for requests that an HTTP client would not make. They must
    /// contain `Connection: close`, unless the server closes the connection anyway.
    ///
    /// # Errors
    /// When the connection fails, or the answer is not complete or has no length.
    pub async fn wire(&self, request: &[u8]) -> anyhow::Result<Response> {
        let address = self.base_url.strip_prefix("http://").context("the wire is plain HTTP")?;
        let mut connection = TcpStream::connect(address).await?;
        // The server may answer and close the connection before it has read everything.
        let _ = connection.write_all(request).await;
        let mut answer = Vec::new();
        let read = timeout(TIMEOUT, connection.read_to_end(&mut answer)).await.context("the answer does not end")?;
        parse(&answer).with_context(|| format!("{read:?}: {}", String::from_utf8_lossy(&answer)))
    }

    async fn receive(&self, request: RequestBuilder) -> anyhow::Result<Response> {
        receive(request, self.operations.as_deref()).await
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.base_url))
    }
}

/// A valid report of the demo's diary for an assignment, captured just now.
pub fn report(assignment_id: Uuid) -> Value {
    json!({
        "assignment_id": assignment_id,
        "captured_at": Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true),
        "answers": {"pain": 7, "rescue": true, "rescue_doses": 2, "temperature": 37.9, "note": "Worse in the evening."},
        "attested": true,
    })
}

/// An HTTP client for the loopback interface: without a proxy and without redirects, but with a timeout.
pub fn plain_http() -> reqwest::Client {
    // This fails only when TLS cannot be set up.
    http_builder().build().unwrap_or_default()
}

fn http_builder() -> reqwest::ClientBuilder {
    // The downloader of Postgres turns on reqwest's TLS without a cryptography provider, and without one no client can
    // be built. A provider that is installed already stays.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).timeout(TIMEOUT)
}
