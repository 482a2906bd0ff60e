//! What is refused before anybody is asked: too many requests, and heads that are too large.

mod head;
mod rate;

pub(crate) use head::refuse_bad_head;
pub(crate) use rate::{RateLimits, Rates};
