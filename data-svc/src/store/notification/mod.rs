//! The outbox: stores notifications, leases them, and reads their state.

mod claim;
mod read;
mod write;

pub(crate) use claim::{Claimed, claim, claim_due, put_back, release};
pub(crate) use read::{Backlog, Stuck, Undelivered, backlog, exists, list_stuck, list_undelivered};
pub(crate) use write::{insert, insert_escalated, put_off, resend};
