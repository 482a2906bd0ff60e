//! Calls that would not propagate the trace context.

use hyper_util::client::legacy::connect::HttpConnector;
use reqwest::{Request, RequestBuilder, blocking};
use tonic::transport::{Channel, Endpoint};

pub async fn get() {
    drop(reqwest::get("http://localhost").await);
}

pub async fn execute(client: reqwest::Client, request: Request) {
    drop(client.execute(request).await);
}

pub async fn send(request: RequestBuilder) {
    drop(request.send().await);
}

pub fn blocking_get() {
    drop(blocking::get("http://localhost"));
}

pub fn blocking_execute(client: &blocking::Client, request: blocking::Request) {
    drop(client.execute(request));
}

pub fn blocking_send(request: blocking::RequestBuilder) {
    drop(request.send());
}

pub async fn connect(endpoint: Endpoint) {
    drop(endpoint.connect().await);
}

pub fn connect_lazy(endpoint: &Endpoint) {
    drop(endpoint.connect_lazy());
}

pub async fn connect_with_connector(endpoint: Endpoint, connector: HttpConnector) {
    drop(endpoint.connect_with_connector(connector).await);
}

pub fn connect_with_connector_lazy(endpoint: &Endpoint, connector: HttpConnector) {
    drop(endpoint.connect_with_connector_lazy(connector));
}

pub fn balance_list(endpoints: Vec<Endpoint>) {
    drop(Channel::balance_list(endpoints.into_iter()));
}

pub fn balance_channel() {
    drop(Channel::balance_channel::<String>(1));
}
