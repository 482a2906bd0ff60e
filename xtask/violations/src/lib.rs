//! One call of each method that `clippy.toml` forbids, each in a function of its own. It is never run;
//! `xtask/tests/forbidden_calls.rs` runs clippy over it and expects one error for each call.

#![cfg(feature = "violations")]

pub mod messages;
pub mod spans;
pub mod statements;
pub mod tasks;
pub mod upstreams;
