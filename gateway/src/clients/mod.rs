//! Clients of the services behind the API, and of Jaeger.

mod data;
mod jaeger;
mod peers;
mod report;
mod user;

pub(crate) use data::Data;
pub(crate) use jaeger::Jaeger;
pub(crate) use peers::Peers;
pub(crate) use report::Report;
pub(crate) use user::User;
