//! Keeps reports and the notifications they cause. Owns schema `clinical`.

mod app;
mod audit;
mod error;
mod grpc;
mod housekeeping;
mod outbox;
mod quiet_hours;
mod reconcile;
mod rpc;
mod schedule;
mod store;
mod unnotified;
mod values;
mod wall_clock;

pub use app::{App, Config};
