//! One file per table, one function per statement.

pub(crate) mod activation;
pub(crate) mod audit_event;
pub(crate) mod contact;
pub(crate) mod credential;
pub(crate) mod refresh_token;
pub(crate) mod session;
pub(crate) mod signing_key;
