//! The services this one calls, in its own words: a call answers or says why not.

mod data;
mod user;

pub(crate) use data::{Data, longest_record};
pub(crate) use user::User;
