//! What every service needs and none should write again: configuration, start, health, deadlines,
//! shutdown.

pub mod database;
pub mod deadline;
pub mod grpc;
pub mod health;

mod config;
mod error;
mod service;

pub use config::ConfigError;
pub use error::respond;
pub use service::{Service, Shutdown, main};
