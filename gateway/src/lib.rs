//! The public HTTP API.

mod accept;
mod app;
mod clients;
mod extract;
mod fhir;
mod limit;
mod openapi;
mod problem;
mod proxies;
mod representation;
mod router;
mod routes;
mod security_headers;
mod web;

pub use app::{App, Config};
