//! How ended spans and metrics leave the process: a bounded queue, and a thread of its own that empties it.
//!
//! Nothing here runs on the application's runtime, and nobody waits for it but shutdown.

mod counts;
mod encode;
mod fragments;
mod grpc;
mod http;
mod otlp;
mod processor;
mod queue;
mod shedding;
mod stdout;
pub(crate) mod tls;
mod worker;

pub(crate) use counts::Counts;
pub(crate) use otlp::{Failure, Sender, chain};
pub(crate) use processor::Processor;

#[cfg(test)]
pub(crate) mod tests;
