//! Logins, sessions and what a person may see. Owns the schema `identity`.

mod app;
mod command;
mod error;
mod grpc;
mod housekeeping;
mod identity;
mod role;
mod rpc;
mod store;

pub use app::{App, Config};
pub use command::{Activation, Command};
