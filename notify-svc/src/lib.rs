//! Notifies nurses: claims notifications that are due, looks up the recipients, sends, and records every attempt.

mod app;
mod backoff;
mod breaker;
mod bulkhead;
mod channel;
mod clients;
mod delivery;
mod error;
mod escalation;
mod grpc;
mod lease;
mod message;
mod rpc;
mod sweeper;

pub use app::{App, Config};
