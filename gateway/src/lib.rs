//! The public HTTP API.

mod app;
mod clients;
mod extract;
mod problem;
mod router;
mod routes;

pub use app::{App, Config};
