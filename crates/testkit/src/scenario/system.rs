use std::net::SocketAddr;

use serde_json::Value;

use super::Fault;
use crate::trace::Trace;

/// A running stack that scenarios can break and repair.
#[expect(async_fn_in_trait, reason = "nobody else implements it, and nothing is spawned")]
pub trait System: Sized {
    /// Starts everything.
    ///
    /// # Errors
    /// When something does not start.
    async fn start() -> anyhow::Result<Self>;

    /// Stops everything.
    ///
    /// # Errors
    /// When something does not stop cleanly.
    async fn stop(self) -> anyhow::Result<()>;

    /// Begins a fault. Faults of the phone are not begun here.
    ///
    /// # Errors
    /// When that is not possible.
    async fn begin(&mut self, fault: &Fault) -> anyhow::Result<()>;

    /// Ends a fault.
    ///
    /// # Errors
    /// When something does not work again afterwards.
    async fn end(&mut self, fault: &Fault) -> anyhow::Result<()>;

    /// How many statements wait for a lock.
    ///
    /// # Errors
    /// When Postgres cannot be queried.
    async fn waiting(&self) -> anyhow::Result<usize>;

    fn gateway(&self) -> SocketAddr;

    /// The base URL for spans over HTTP, without `/v1/traces`.
    fn otlp(&self) -> String;

    /// A trace as far as it has arrived.
    async fn trace(&self, trace_id: &str) -> Trace;

    /// The log lines of all services since the start.
    ///
    /// # Errors
    /// When they cannot be read.
    async fn logs(&self) -> anyhow::Result<Vec<Value>>;

    /// Where a person can look at a trace, if there is such a place.
    fn link(&self, trace_id: &str) -> Option<String>;
}

/// Counts the statements that wait for a lock.
pub(super) const WAITING: &str =
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";

/// An hour in seconds.
pub(super) const AN_HOUR: u64 = 3600;
