//! Validates and assesses reports, has data-svc store them, and sends a hint to notify-svc.

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
