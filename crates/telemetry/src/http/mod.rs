//! HTTP SERVER spans for axum and CLIENT spans for reqwest.

#[cfg(feature = "reqwest")]
mod client;
#[cfg(feature = "axum")]
mod server;

#[cfg(feature = "reqwest")]
pub use client::{Client, Error, Request};
#[cfg(feature = "axum")]
pub use server::{Answering, Server, ServerLayer};

use http::Method;

use crate::conventions::OTHER;

/// The method if it is a standard one: a client may send any word as a method.
fn known_method(method: &Method) -> &'static str {
    const KNOWN: [&str; 10] = ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "QUERY"];
    KNOWN.into_iter().find(|known| *known == method.as_str()).unwrap_or(OTHER)
}
