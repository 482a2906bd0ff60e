use std::time::Duration;

use reqwest::header::HeaderMap;
use reqwest::{Method, Response, Url};
use tracing::{Instrument, info_span};
use tracing_opentelemetry::OpenTelemetrySpanExt;

use crate::context;
use crate::span::{TARGET, Unfinished, fail};

/// Why no answer came.
pub type Error = reqwest::Error;

/// A reqwest client whose every request is a CLIENT span and carries the trace onwards.
#[derive(Debug, Clone)]
pub struct Client(reqwest::Client);

impl Client {
    /// A client that gives up on a request after `timeout`.
    ///
    /// # Errors
    /// When the machine's TLS or DNS settings cannot be read.
    pub fn new(timeout: Duration) -> Result<Self, Error> {
        reqwest::Client::builder().timeout(timeout).redirect(reqwest::redirect::Policy::none()).build().map(Self)
    }

    /// A POST to `url`. Of the address only its `template` is shown, such as
    /// `/accounts/{account}/messages`: the rest may hold a person's number.
    pub fn post(&self, url: Url, template: &'static str) -> Request {
        Request { client: self.0.clone(), builder: self.0.post(url.clone()), method: Method::POST, url, template }
    }
}

/// A request that is not sent yet.
#[derive(Debug)]
#[must_use = "a request does nothing until it is sent"]
pub struct Request {
    client: reqwest::Client,
    builder: reqwest::RequestBuilder,
    method: Method,
    url: Url,
    template: &'static str,
}

impl Request {
    /// Sets method-independent parts with reqwest's own builder: headers, authentication, body.
    pub fn with(mut self, build: impl FnOnce(reqwest::RequestBuilder) -> reqwest::RequestBuilder) -> Self {
        self.builder = build(self.builder);
        self
    }

    /// Sends it and waits for the answer's head.
    ///
    /// # Errors
    /// When no answer comes; an answer of any status is no error.
    pub async fn send(self) -> Result<Response, Error> {
        let span = info_span!(
            target: TARGET,
            "http client",
            otel.name = self.method.as_str(),
            otel.kind = "client",
            http.request.method = self.method.as_str(),
            url.template = self.template,
            url.scheme = self.url.scheme(),
            server.address = self.url.host_str(),
            server.port = self.url.port_or_known_default().map(i64::from),
        );
        let mut headers = HeaderMap::new();
        context::inject(&span, &mut headers);
        let unfinished = Unfinished::new(&span);
        let answer = match self.builder.headers(headers).build() {
            Ok(request) => self.client.execute(request).instrument(span.clone()).await,
            Err(error) => Err(error),
        };
        unfinished.finished();
        match &answer {
            Ok(response) => {
                let status = response.status();
                span.set_attribute("http.response.status_code", i64::from(status.as_u16()));
                if status.is_client_error() || status.is_server_error() {
                    fail(&span, status.as_u16().to_string());
                }
            }
            Err(error) => fail(&span, class(error)),
        }
        answer
    }
}

fn class(error: &Error) -> &'static str {
    if error.is_timeout() {
        "timeout"
    } else if error.is_connect() {
        "connect"
    } else if error.is_builder() {
        "builder"
    } else {
        "request"
    }
}
