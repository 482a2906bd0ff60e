//! One request that must be refused, and the expected answer.

use anyhow::ensure;
use e2e::{codes, problem};
use serde_json::Value;
use testkit::client::{Client, Response, Token, report};
use uuid::Uuid;

/// A word that no answer may repeat.
pub(super) const MARK: &str = "zebra";

/// How a request is sent to the gateway.
#[derive(Debug, Clone, Copy)]
enum Way {
    /// With an HTTP client.
    Client,
    /// As raw bytes, because a client would normalise this path.
    Wire,
    /// With a chunked body, without a length.
    Chunked,
}

#[derive(Debug, Clone)]
pub(super) struct Case {
    pub(super) name: &'static str,
    method: &'static str,
    path: String,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
    way: Way,
    status: u16,
    /// The last segment of the problem type.
    problem: &'static str,
    /// The broken rules that must be listed, or `None` to accept any.
    codes: Option<&'static [&'static str]>,
}

impl Case {
    pub(super) fn new(name: &'static str, method: &'static str, path: impl Into<String>) -> Self {
        let (path, way) = (path.into(), Way::Client);
        Self { name, method, path, headers: vec![], body: vec![], way, status: 0, problem: "", codes: None }
    }

    /// A complete `POST /v1/reports`.
    pub(super) fn submission(name: &'static str, token: &Token, body: impl Into<Vec<u8>>) -> Self {
        Self::new(name, "POST", "/v1/reports").bearer(token).header("idempotency-key", "key").json(body)
    }

    pub(super) fn bearer(self, token: &Token) -> Self {
        let credentials = format!("Bearer {}", token.0);
        self.header("authorization", credentials)
    }

    pub(super) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Replaces a header.
    pub(super) fn instead(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.retain(|(present, _)| *present != name);
        self.header(name, value)
    }

    pub(super) fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(present, _)| *present != name);
        self
    }

    pub(super) fn json(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self.header("content-type", "application/json")
    }

    pub(super) fn on_the_wire(self) -> Self {
        Self { way: Way::Wire, ..self }
    }

    pub(super) fn chunked(self) -> Self {
        Self { way: Way::Chunked, ..self }
    }

    pub(super) fn expect(self, status: u16, problem: &'static str) -> Self {
        Self { status, problem, ..self }
    }

    /// Expects 422 with these rules, in this order.
    pub(super) fn breaks(self, codes: &'static [&'static str]) -> Self {
        Self { codes: Some(codes), ..self.expect(422, "report-invalid") }
    }

    /// Expects 422 from the gateway itself, which checks the shape of a body without the questionnaire.
    pub(super) fn misshapes(self, codes: &'static [&'static str]) -> Self {
        Self { codes: Some(codes), ..self.expect(422, "invalid-body") }
    }

    /// Sends the request and checks the answer.
    pub(super) async fn check(&self, client: &Client) -> anyhow::Result<()> {
        let answer = self.send(client).await?;
        let body = problem(&answer, self.status, self.problem)?;
        let text = String::from_utf8_lossy(&answer.body);
        ensure!(!text.contains(MARK), "the input is repeated: {text}");
        ensure!(self.status != 405 || answer.header("allow").is_some(), "it does not say which methods there are");
        if let Some(expected) = self.codes {
            ensure!(codes(&body) == expected, "not {expected:?}: {text}");
        }
        Ok(())
    }

    async fn send(&self, client: &Client) -> anyhow::Result<Response> {
        if matches!(self.way, Way::Client) {
            let headers: Vec<_> = self.headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
            return client.raw(self.method, &self.path, &headers, self.body.clone()).await;
        }
        let mut request = format!("{} {} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n", self.method, self.path);
        for (name, value) in &self.headers {
            request.extend([name, ": ", value, "\r\n"]);
        }
        let mut request = request.into_bytes();
        if matches!(self.way, Way::Chunked) {
            request.extend(format!("Transfer-Encoding: chunked\r\n\r\n{:x}\r\n", self.body.len()).bytes());
            request.extend([self.body.as_slice(), b"\r\n0\r\n\r\n"].concat());
        } else {
            request.extend(format!("Content-Length: {}\r\n\r\n", self.body.len()).bytes());
            request.extend(&self.body);
        }
        client.wire(&request).await
    }
}

/// A valid diary with one change.
pub(super) fn changed(assignment_id: Uuid, change: impl FnOnce(&mut Value)) -> String {
    let mut body = report(assignment_id);
    change(&mut body);
    body.to_string()
}
