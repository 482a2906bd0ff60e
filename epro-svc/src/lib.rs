//! Decides whether a report is valid, what it means, and has it stored and told.

mod app;
mod assessment;
mod assignment;
mod capture;
mod clients;
mod error;
mod filled_in;
#[cfg(test)]
mod fixtures;
mod grpc;
#[cfg(test)]
mod properties;
mod questionnaire;
mod rpc;
mod rules;

pub use app::{App, Config};
