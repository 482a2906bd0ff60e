//! Decides whether a report is valid, and has it stored and told.

mod app;
mod clients;
mod error;
mod grpc;
mod rpc;
mod rules;

pub use app::{App, Config};
