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

mod balance;
mod config;
mod every;
mod near_miss;
mod network;
mod pool;
mod reloaded;
mod service;
mod shutdown;
mod tls;
mod viewer;

pub use config::ConfigError;
pub use error::{note_failure, respond};
pub use every::{catch_panic, every};
pub use near_miss::near_miss;
pub use service::{Host, NoCommand, Service, main};
pub use shutdown::Shutdown;
pub use viewer::viewer;
