//! The public HTTP API.

mod accept;
mod app;
mod clients;
mod command;
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
#[cfg(test)]
mod testing;
mod web;

pub use app::{App, Config};
