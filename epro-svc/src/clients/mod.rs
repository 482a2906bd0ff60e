//! The services this one calls, in its own words: a call answers or says why not.

mod data;
mod notify;

pub(crate) use data::Data;
pub(crate) use notify::Notify;
