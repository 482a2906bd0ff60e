//! Clients of the other services. A call returns the response or a `CallError`, never a gRPC status.

mod data;
mod notify;

pub(crate) use data::Data;
pub(crate) use notify::Notify;
