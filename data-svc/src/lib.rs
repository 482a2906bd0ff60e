//! Keeps reports and the notifications they cause. Owns schema `clinical`.

mod app;
mod error;
mod grpc;
mod rpc;
mod store;

pub use app::{App, Config};
