//! What every service needs: configuration, start, health, deadlines, shutdown.

pub mod attribute;
pub mod database;
pub mod deadline;
pub mod error;
pub mod fault;
pub mod grpc;
pub mod health;
pub mod http;
pub mod mesh;

/// It returns memory to the system after a burst, and is faster than the system's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

mod accept;
mod config;
mod every;
mod intake;
mod near_miss;
mod network;
mod pool;
mod reloaded;
mod service;
mod tls;
mod viewer;
mod write_timeout;

pub use config::ConfigError;
pub use error::{note_failure, respond};
pub use every::every;
pub use near_miss::near_miss;
pub use service::{Host, NoCommand, Service, Shutdown, main};
pub use viewer::viewer;
