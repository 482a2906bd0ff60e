//! The export of ended spans and metrics: a bounded queue, and a dedicated thread that empties it.
//!
//! Nothing here runs on the application's runtime, and only shutdown waits for it.

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
