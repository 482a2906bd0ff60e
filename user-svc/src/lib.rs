//! Who is asking, and what they may see. Owns schema `identity`.

mod app;
mod command;
mod error;
mod grpc;
mod housekeeping;
mod identity;
mod rpc;
mod store;

pub use app::{App, Config};
pub use command::{Activation, Command};
