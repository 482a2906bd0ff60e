//! The wait for a connection, which says whether the pool is full or the database away.

use std::borrow::Cow;
use std::sync::atomic::{AtomicU32, Ordering};

use opentelemetry::KeyValue;
use opentelemetry::trace::SpanKind;
use sqlx::pool::PoolConnection;
use sqlx::{Error, PgPool, Postgres};

use super::database::Database;
use super::statement::error_type;
use crate::conventions::{
    DB_CLIENT_CONNECTION_COUNT, DB_CLIENT_CONNECTION_MAX, DB_CLIENT_CONNECTION_PENDING_REQUESTS,
    DB_CLIENT_CONNECTION_STATE,
};
use crate::span::Span;

/// Who waits for a connection of a pool.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    /// Callers that wait until one is given back.
    waiting: AtomicU32,
    /// Callers for whom a new one is being opened.
    opening: AtomicU32,
}

impl Queue {
    /// Takes a connection out of the pool, as a span named `acquire connection`.
    ///
    /// The span shows the pool as the caller found it: connections, the most there may be, and who waits. One
    /// that had no idle connection has an event that says what it waits for, one that is given back or a new one;
    /// and so does `error.type`, `pool_timed_out` or `connect_timed_out`.
    pub(crate) async fn acquire(&self, pool: &PgPool, database: &Database) -> Result<PoolConnection<Postgres>, Error> {
        let (telemetry, parent) = database.owner.inside();
        let (name, attributes) = (|| "acquire connection", || self.attributes(pool));
        let span = Span::start(&telemetry.0, parent, SpanKind::Internal, name, attributes);
        if let Some(connection) = pool.try_acquire() {
            span.end();
            return Ok(connection);
        }
        let full = pool.size() >= pool.options().get_max_connections();
        let (event, place) = if full {
            ("waiting for a connection in use", &self.waiting)
        } else {
            ("opening a connection", &self.opening)
        };
        span.event(event, idle(pool));
        let counted = Counted::new(place);
        let connection = span.attach(pool.acquire()).await;
        if let Err(error) = &connection {
            span.fail(self.why(error, full, pool));
        }
        drop(counted);
        span.end();
        connection
    }

    fn attributes(&self, pool: &PgPool) -> Vec<KeyValue> {
        vec![
            KeyValue::new(DB_CLIENT_CONNECTION_COUNT, i64::from(pool.size())),
            KeyValue::new(DB_CLIENT_CONNECTION_MAX, i64::from(pool.options().get_max_connections())),
            KeyValue::new(DB_CLIENT_CONNECTION_PENDING_REQUESTS, i64::from(self.waiting())),
        ]
    }

    /// Callers that wait until a connection is given back.
    pub(crate) fn waiting(&self) -> u32 {
        self.waiting.load(Ordering::Relaxed)
    }

    /// A pool all of whose connections are still being opened is full of nothing: the database is away.
    fn why(&self, error: &Error, full: bool, pool: &PgPool) -> Cow<'static, str> {
        let opening = self.opening.load(Ordering::Relaxed);
        match error {
            Error::PoolTimedOut if !full || opening >= pool.size() => "connect_timed_out".into(),
            _ => error_type(error),
        }
    }
}

/// How many of the connections are idle, in the terms of the metric.
fn idle(pool: &PgPool) -> Vec<KeyValue> {
    let idle = i64::try_from(pool.num_idle()).unwrap_or(i64::MAX);
    vec![KeyValue::new(DB_CLIENT_CONNECTION_STATE, "idle"), KeyValue::new(DB_CLIENT_CONNECTION_COUNT, idle)]
}

/// Somebody who waits, until it is dropped.
struct Counted<'q>(&'q AtomicU32);

impl<'q> Counted<'q> {
    fn new(place: &'q AtomicU32) -> Self {
        place.fetch_add(1, Ordering::Relaxed);
        Self(place)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
