//! HTTP SERVER spans for axum and CLIENT spans for reqwest.

mod client;
mod server;

pub use client::{Client, Error, Request};
pub use server::{Server, ServerLayer};
