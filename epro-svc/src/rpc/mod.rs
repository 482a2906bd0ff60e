//! One file per RPC.

mod submit_report;

pub(crate) use submit_report::submit_report;
