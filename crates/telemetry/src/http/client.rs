use std::error::Error as _;
use std::io::{self, ErrorKind};
use std::iter::successors;
use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::trace::SpanKind;
use reqwest::{Method, Response, Url};

use super::known_method;
use crate::conventions::{
    HTTP_REQUEST_METHOD, HTTP_RESPONSE_STATUS_CODE, OTHER, SERVER_ADDRESS, SERVER_PORT, SERVICE_PEER_NAME, URL_SCHEME,
    URL_TEMPLATE,
};
use crate::propagation::Boundary;
use crate::span::Span;
use crate::telemetry::Owner;

/// Why no answer came.
pub type Error = reqwest::Error;

/// A reqwest client. Every request is a CLIENT span and carries the trace context as far as that is allowed.
///
/// Its requests go to strangers: [`crate::Trust::egress`] says what they are told, which by default is nothing.
#[derive(Debug, Clone)]
pub struct Client {
    client: reqwest::Client,
    boundary: Boundary,
    peer: Option<&'static str>,
    owner: Owner,
}

impl Client {
    /// A client that gives up on a request after `timeout`, and follows no redirect.
    ///
    /// # Errors
    /// When the machine's TLS or DNS settings cannot be read.
    pub fn new(timeout: Duration) -> Result<Self, Error> {
        let builder = reqwest::Client::builder().timeout(timeout).redirect(reqwest::redirect::Policy::none());
        builder.build().map(Self::from)
    }

    /// For requests to one's own services, as [`crate::Trust::mesh`] says.
    #[must_use]
    pub fn in_mesh(self) -> Self {
        Self { boundary: Boundary::Mesh, ..self }
    }

    /// Sets the name of the other side that the span shows: its `service.name`, or the name of a provider.
    #[must_use]
    pub fn peer(self, name: &'static str) -> Self {
        Self { peer: Some(name), ..self }
    }

    /// A request to `url`. The span shows only the `template` of the address, such as `/accounts/{account}/messages`:
    /// the rest may hold a person's number.
    pub fn request(&self, method: Method, url: Url, template: &'static str) -> Request<'_> {
        Request { client: self, builder: self.client.request(method.clone(), url.clone()), method, url, template }
    }

    /// A GET, as [`Client::request`].
    pub fn get(&self, url: Url, template: &'static str) -> Request<'_> {
        self.request(Method::GET, url, template)
    }

    /// A POST, as [`Client::request`].
    pub fn post(&self, url: Url, template: &'static str) -> Request<'_> {
        self.request(Method::POST, url, template)
    }

    /// A PUT, as [`Client::request`].
    pub fn put(&self, url: Url, template: &'static str) -> Request<'_> {
        self.request(Method::PUT, url, template)
    }

    /// A PATCH, as [`Client::request`].
    pub fn patch(&self, url: Url, template: &'static str) -> Request<'_> {
        self.request(Method::PATCH, url, template)
    }

    /// A DELETE, as [`Client::request`].
    pub fn delete(&self, url: Url, template: &'static str) -> Request<'_> {
        self.request(Method::DELETE, url, template)
    }

    /// A HEAD, as [`Client::request`].
    pub fn head(&self, url: Url, template: &'static str) -> Request<'_> {
        self.request(Method::HEAD, url, template)
    }
}

/// Traces a client that was built with settings of its own.
impl From<reqwest::Client> for Client {
    fn from(client: reqwest::Client) -> Self {
        Self { client, boundary: Boundary::Egress, peer: None, owner: Owner::of_caller() }
    }
}

/// A request that is not sent yet.
#[derive(Debug)]
#[must_use = "a request does nothing until it is sent"]
pub struct Request<'c> {
    client: &'c Client,
    builder: reqwest::RequestBuilder,
    method: Method,
    url: Url,
    template: &'static str,
}

impl Request<'_> {
    /// Sets headers, authentication and body with reqwest's own builder.
    pub fn with(mut self, build: impl FnOnce(reqwest::RequestBuilder) -> reqwest::RequestBuilder) -> Self {
        self.builder = build(self.builder);
        self
    }

    /// Sends the request and waits for the head of the response.
    ///
    /// # Errors
    /// When no answer comes. An answer of any status is no error.
    pub async fn send(self) -> Result<Response, Error> {
        let (telemetry, parent) = self.client.owner.inside();
        let span = Span::start(&telemetry.0, parent, SpanKind::Client, || self.name(), || self.attributes());
        let answer = match self.builder.build() {
            Ok(mut request) => {
                telemetry.0.inject(self.client.boundary, span.context(), request.headers_mut());
                span.attach(self.client.client.execute(request)).await
            }
            Err(error) => Err(error),
        };
        match &answer {
            Ok(response) => {
                telemetry.0.keep_if_answer_says(self.client.boundary, &span.span_context(), response.headers());
                let status = response.status();
                span.set(HTTP_RESPONSE_STATUS_CODE, i64::from(status.as_u16()));
                if status.is_client_error() || status.is_server_error() {
                    span.fail(status.as_str().to_owned());
                }
            }
            Err(error) => span.fail(class(error)),
        }
        span.end();
        answer
    }

    fn name(&self) -> String {
        let method = known_method(&self.method);
        format!("{} {}", if method == OTHER { "HTTP" } else { method }, self.template)
    }

    fn attributes(&self) -> Vec<KeyValue> {
        let mut attributes = vec![
            KeyValue::new(HTTP_REQUEST_METHOD, known_method(&self.method)),
            KeyValue::new(URL_TEMPLATE, self.template),
            KeyValue::new(URL_SCHEME, self.url.scheme().to_owned()),
        ];
        attributes.extend(self.url.host_str().map(|host| KeyValue::new(SERVER_ADDRESS, host.to_owned())));
        attributes.extend(self.url.port_or_known_default().map(|port| KeyValue::new(SERVER_PORT, i64::from(port))));
        attributes.extend(self.client.peer.map(|name| KeyValue::new(SERVICE_PEER_NAME, name)));
        attributes
    }
}

fn class(error: &Error) -> &'static str {
    if error.is_timeout() {
        "timeout"
    } else if is_reset(error) {
        // reqwest reports a reset as a connect or a request error, depending on which of its tasks sees it first.
        "connection_reset"
    } else if error.is_connect() {
        "connect"
    } else if error.is_builder() {
        "builder"
    } else {
        "request"
    }
}

fn is_reset(error: &Error) -> bool {
    let causes = successors(error.source(), |cause| (*cause).source());
    causes.filter_map(|cause| cause.downcast_ref::<io::Error>()).any(|cause| cause.kind() == ErrorKind::ConnectionReset)
}
