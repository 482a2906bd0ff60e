//! What is refused before anybody is asked: too many requests, heads that are too large, and such without a host.

mod budget;
mod head;
mod host;
mod known;
mod rate;
mod session;

pub(crate) use head::refuse_bad_head;
pub(crate) use host::require_host;
pub(crate) use rate::{RateLimits, Rates};
