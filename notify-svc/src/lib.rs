//! Tells the nurses: claims what is due, looks up who to tell, sends, and records every attempt.

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
