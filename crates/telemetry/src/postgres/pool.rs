//! The wait for a connection. Its span says whether the pool is full or the database unreachable.

mod lease;

use std::borrow::Cow;
use std::future::Future;
use std::iter;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use opentelemetry::KeyValue;
use opentelemetry::trace::SpanKind;
use sqlx::pool::PoolConnection;
use sqlx::{Connection as _, Error, PgPool, Postgres};
use tokio::sync::Notify;
use tokio::time::timeout;

use super::database::Database;
use super::statement::error_type;
use crate::conventions::{
    DB_CLIENT_CONNECTION_COUNT, DB_CLIENT_CONNECTION_MAX, DB_CLIENT_CONNECTION_PENDING_REQUESTS,
    DB_CLIENT_CONNECTION_STATE,
};
use crate::idle::Idle;
use crate::span::Span;
pub(crate) use lease::Lease;

/// The timeout of a ping on an idle connection. Also that of a connection's return to the pool, which includes the rest
/// of its last statement. It is generous, because a new connection costs a busy server more than the wait.
const ANSWER: Duration = Duration::from_secs(1);

/// How long a pool whose connections are all in use may go without an answer before its server counts as unreachable.
/// Longer than a statement may take.
const BUSY: Duration = Duration::from_secs(5);

/// How long a returned connection stays at hand, for use without a ping: it has just answered.
const AT_HAND: Duration = Duration::from_secs(1);

/// After how long a connection that is always in use is returned to sqlx, which pings it and replaces it if it is too
/// old.
const UNASKED: Duration = Duration::from_secs(30);

/// The connections, the callers that wait for one, and when the server last answered.
#[derive(Debug)]
pub(crate) struct Pool {
    pub(crate) connections: PgPool,
    /// Connections that were returned a moment ago and have no answer outstanding. To sqlx they are in use.
    at_hand: Idle<Lease>,
    /// Wakes one waiting caller when a connection is at hand.
    came_back: Notify,
    /// Callers that wait until a connection is returned.
    waiting: AtomicU32,
    /// Callers for whom a connection is being opened.
    opening: AtomicU32,
    /// Callers that wait for sqlx to give them a connection, and not for one at hand.
    bare: AtomicU32,
    heard: Mutex<Heard>,
}

#[derive(Debug)]
struct Heard {
    /// When the server last answered on a connection that was returned or opened; `None` after one without an answer.
    answered: Option<Instant>,
    /// When all idle connections were last pinged.
    asked: Option<Instant>,
}

impl Pool {
    pub(super) fn new(connections: PgPool) -> Self {
        let heard = Mutex::new(Heard { answered: None, asked: None });
        Self {
            connections,
            at_hand: Idle::new(AT_HAND, |lease| async move { drop(lease) }.boxed()),
            came_back: Notify::new(),
            waiting: AtomicU32::new(0),
            opening: AtomicU32::new(0),
            bare: AtomicU32::new(0),
            heard,
        }
    }

    fn heard(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a connection out of the pool, as a span named `acquire connection`.
    ///
    /// The span shows the pool at the start of the wait: connections, their maximum and the waiting callers. If no
    /// connection was idle, an event says whether the caller waits for one in use or for a new one. `error.type` makes
    /// the same distinction: `pool_timed_out` or `connect_timed_out`.
    pub(super) async fn acquire(self: &Arc<Self>, database: &Database) -> Result<Lease, Error> {
        let first = || self.try_acquire();
        let wait = async {
            let leased = |connection| Lease::new(connection, self);
            if !self.is_full() {
                // A new connection is not given up for one that comes back: opening it is the expensive part.
                let _bare = Counted::new(&self.bare);
                return self.connections.acquire().await.map(leased);
            }
            tokio::select! {
                lease = self.next_at_hand() => Ok(lease),
                connection = self.connections.acquire() => connection.map(leased),
            }
        };
        self.traced(database, first, wait).await
    }

    /// As [`Pool::acquire`], but sqlx takes the connection back by itself.
    pub(super) async fn connection(&self, database: &Database) -> Result<PoolConnection<Postgres>, Error> {
        let bare = Counted::new(&self.bare);
        self.release_at_hand();
        let connection = self.traced(database, || self.connections.try_acquire(), self.connections.acquire()).await;
        drop(bare);
        connection
    }

    async fn traced<T>(
        &self,
        database: &Database,
        first: impl FnOnce() -> Option<T>,
        wait: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let (telemetry, parent) = database.owner.inside();
        let (name, attributes) = (|| "acquire connection", || self.attributes());
        let span = Span::start(&telemetry.0, parent, SpanKind::Internal, name, attributes);
        let started = Instant::now();
        let measure = |timed_out| {
            if let Some(meters) = &telemetry.0.meters {
                meters.connection_waited(&database.name, started.elapsed(), timed_out);
            }
        };
        if let Some(connection) = first() {
            measure(false);
            span.end();
            return Ok(connection);
        }
        let full = self.is_full();
        let (event, place) = if full {
            ("waiting for a connection in use", &self.waiting)
        } else {
            ("opening a connection", &self.opening)
        };
        span.event(event, self.idle());
        let counted = Counted::new(place);
        let connection = span.attach(wait).await;
        self.heard().answered = connection.is_ok().then(Instant::now);
        match &connection {
            Ok(_) => measure(false),
            Err(error) => {
                if matches!(error, Error::PoolTimedOut) {
                    measure(true);
                }
                span.fail(self.why(error, full));
            }
        }
        drop(counted);
        span.end();
        connection
    }

    fn try_acquire(self: &Arc<Self>) -> Option<Lease> {
        let sqlx = || self.connections.try_acquire().map(|connection| Lease::new(connection, self));
        self.at_hand.take().or_else(sqlx)
    }

    async fn next_at_hand(&self) -> Lease {
        loop {
            if let Some(lease) = self.at_hand.take() {
                return lease;
            }
            self.came_back.notified().await;
        }
    }

    /// Returns all connections at hand to sqlx.
    pub(super) fn release_at_hand(&self) {
        drop(self.at_hand.take_all());
    }

    /// The number of idle connections.
    pub(crate) fn count_idle(&self) -> usize {
        self.connections.num_idle() + self.at_hand.count()
    }

    fn is_full(&self) -> bool {
        self.connections.size() >= self.connections.options().get_max_connections()
    }

    /// Whether the server answers on an idle connection, or else on a new one. If all are in use, it is enough that the
    /// server has answered lately.
    pub(super) async fn ping(self: &Arc<Self>) -> Result<(), Error> {
        match self.try_acquire() {
            Some(mut connection) => {
                if let Ok(Ok(())) = timeout(ANSWER, connection.ping()).await {
                    return Ok(());
                }
                self.heard().answered = None;
                drop(connection);
                self.ask_idle();
            }
            None if !self.is_full() => {}
            None if self.heard().answered.is_some_and(|answered| answered.elapsed() < BUSY) => return Ok(()),
            None => return Err(Error::PoolTimedOut),
        }
        let mut connection = Lease::new(self.connections.acquire().await?, self);
        connection.ping().await
    }

    /// Takes and returns all idle connections, so that silent ones are closed. If one is silent the others usually are
    /// too, and each would cost a caller the time limit of a statement.
    fn ask_idle(self: &Arc<Self>) {
        let now = Instant::now();
        let asked = self.heard().asked.replace(now);
        if asked.is_some_and(|asked| now - asked < ANSWER) {
            return;
        }
        self.release_at_hand();
        // Takes all of them before the first is returned.
        drop(iter::from_fn(|| self.try_acquire()).collect::<Vec<_>>());
    }

    fn attributes(&self) -> Vec<KeyValue> {
        let most = self.connections.options().get_max_connections();
        vec![
            KeyValue::new(DB_CLIENT_CONNECTION_COUNT, i64::from(self.connections.size())),
            KeyValue::new(DB_CLIENT_CONNECTION_MAX, i64::from(most)),
            KeyValue::new(DB_CLIENT_CONNECTION_PENDING_REQUESTS, i64::from(self.waiting())),
        ]
    }

    /// Callers that wait until a connection is returned.
    pub(crate) fn waiting(&self) -> u32 {
        self.waiting.load(Ordering::Relaxed)
    }

    /// The `error.type` of a wait. A pool whose connections are all still being opened is not full: the database is
    /// unreachable.
    fn why(&self, error: &Error, full: bool) -> Cow<'static, str> {
        let opening = self.opening.load(Ordering::Relaxed);
        match error {
            Error::PoolTimedOut if !full || opening >= self.connections.size() => "connect_timed_out".into(),
            _ => error_type(error),
        }
    }

    /// How many of the connections are idle, in the terms of the metric.
    fn idle(&self) -> Vec<KeyValue> {
        let idle = i64::try_from(self.count_idle()).unwrap_or(i64::MAX);
        vec![KeyValue::new(DB_CLIENT_CONNECTION_STATE, "idle"), KeyValue::new(DB_CLIENT_CONNECTION_COUNT, idle)]
    }
}

impl Pool {
    /// Whether a connection may be kept at hand: not while a caller waits for sqlx, and not in a closed pool.
    fn may_keep(&self) -> bool {
        self.bare.load(Ordering::SeqCst) == 0 && !self.connections.is_closed()
    }
}

/// Counts a waiting caller until it is dropped.
struct Counted<'q>(&'q AtomicU32);

impl<'q> Counted<'q> {
    fn new(place: &'q AtomicU32) -> Self {
        place.fetch_add(1, Ordering::SeqCst);
        Self(place)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}
