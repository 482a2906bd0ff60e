//! What every service needs and none should write again: configuration, start, health, deadlines,
//! shutdown.

pub mod database;
pub mod deadline;
pub mod grpc;
pub mod health;
pub mod http;

mod accept;
mod config;
mod error;
mod service;
mod tls;

pub use config::ConfigError;
pub use error::{note_failure, respond};
pub use service::{NoCommand, Service, Shutdown, bind, main};
