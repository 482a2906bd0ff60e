//! Requests that are refused before any service is called: too many of them, with a head that is too large, or without
//! a host.

mod budget;
mod head;
mod host;
mod known;
mod rate;
mod session;

pub(crate) use head::refuse_bad_head;
pub(crate) use host::require_host;
pub(crate) use rate::{RateLimits, Rates};
