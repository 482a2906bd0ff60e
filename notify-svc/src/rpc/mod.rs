//! One file per RPC.

mod notify;

pub(crate) use notify::notify;
