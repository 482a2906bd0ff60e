//! What is refused before anybody is asked: too many requests, and heads that are too large.

mod budget;
mod head;
mod known;
mod rate;
mod session;

pub(crate) use head::refuse_bad_head;
pub(crate) use rate::{RateLimits, Rates};
