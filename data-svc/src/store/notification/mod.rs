//! The outbox: what is put in, who holds it, and what has become of it.

mod claim;
mod enqueue;
mod read;

pub(crate) use claim::{Claimed, claim, claim_due, put_back, release};
pub(crate) use enqueue::{enqueue, escalate, resend};
pub(crate) use read::{Backlog, Stuck, Undelivered, backlog, exists, list_stuck, list_undelivered};
