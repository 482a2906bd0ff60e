//! Clients of the other services. A call returns the response or a `CallError`, never a gRPC status.

mod data;
mod user;

pub(crate) use data::{Data, longest_record};
pub(crate) use user::User;
