//! The public HTTP API.

mod accept;
mod app;
mod caller;
mod clients;
mod command;
mod extract;
mod fhir;
mod limit;
mod negotiation;
mod openapi;
mod problem;
mod proxies;
mod representation;
mod router;
mod routes;
mod security_headers;
mod shared;
#[cfg(test)]
mod testing;
mod web;

pub use app::{App, Config};
