//! `acquire connection` and statement spans for Postgres, without code at the query.
//!
//! [`Db`], [`Connection`] and [`Tx`] are sqlx executors: `sqlx::query!(..).fetch_one(&db)` and
//! `sqlx::query!(..).execute(&mut tx)` are traced as they stand.

mod connection;
pub(crate) mod database;
mod executor;
pub(crate) mod pool;
pub(crate) mod statement;
mod summary;
mod transaction;

use std::sync::Arc;
use std::time::Duration;

use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgListener, PgPoolOptions};

pub use connection::Connection;
use transaction::Held;
pub use transaction::Tx;

use crate::telemetry::Telemetry;
use database::Database;
use pool::Pool;
use statement::Statement;

/// The limits of a pool and of its statements.
#[derive(Debug, Clone, Copy)]
pub struct PoolLimits {
    /// The most connections.
    pub max_connections: u32,
    /// How long a caller waits for a free one.
    pub acquire_timeout: Duration,
    /// How long the server may take for a statement, or for the next row of one. Set it a bit above the server's own
    /// `statement_timeout`: it is for answers that the network has lost.
    pub statement_timeout: Duration,
}

/// A pool of Postgres connections whose waits and statements are spans.
#[derive(Debug, Clone)]
pub struct Db {
    pool: Arc<Pool>,
    database: Arc<Database>,
}

impl Db {
    /// A pool that connects when it is first used and reconnects after every loss.
    pub fn new(options: PgConnectOptions, limits: PoolLimits) -> Self {
        let pool = PgPoolOptions::new()
            .max_connections(limits.max_connections)
            .acquire_timeout(limits.acquire_timeout)
            // A ping before every use would cost a round trip; the statement itself finds a dead connection,
            // and the health check replaces those that a restart of the server has left.
            .test_before_acquire(false)
            .connect_lazy_with(options);
        Self::of(pool, Some(limits.statement_timeout))
    }

    fn of(pool: PgPool, statement_timeout: Option<Duration>) -> Self {
        let database = Arc::new(Database::of(&pool.connect_options(), statement_timeout));
        let pool = Arc::new(Pool::new(pool));
        if let Some(telemetry) = Telemetry::current()
            && let Some(meters) = &telemetry.0.meters
        {
            let (counted, waited_for) = (Arc::clone(&pool), Arc::clone(&pool));
            let count = move || (counted.count_idle(), counted.connections.size());
            let max = pool.connections.options().get_max_connections();
            meters.observe_connections(&database.name, max, count, move || waited_for.waiting());
        }
        Self { pool, database }
    }

    /// Takes a connection out of the pool. It returns when it is dropped.
    ///
    /// # Errors
    /// When none is free in time or the server cannot be reached.
    pub async fn acquire(&self) -> Result<Connection, sqlx::Error> {
        let connection = self.pool.acquire(&self.database).await?;
        Ok(Connection::new(connection, Arc::clone(&self.database)))
    }

    /// Starts a transaction. It is rolled back if it is dropped without [`Tx::commit`].
    ///
    /// # Errors
    /// When no connection is free in time or the server cannot be reached.
    pub async fn begin(&self) -> Result<Tx<'static>, sqlx::Error> {
        let connection = self.pool.acquire(&self.database).await?;
        Tx::begin(Held::Leased(connection), Arc::clone(&self.database)).await
    }

    /// Listens to these channels, on a connection of its own. Waiting for a notification makes no span.
    ///
    /// # Errors
    /// When no connection is free in time or the server refuses.
    pub async fn listen(&self, channels: &[&str]) -> Result<PgListener, sqlx::Error> {
        let mut listener = PgListener::connect_with(&self.pool.connections).await?;
        let listening = listener.listen_all(channels.iter().copied());
        Statement::of_command(&self.database, "LISTEN").run(listening).await?;
        Ok(listener)
    }

    /// Checks that the database answers on an idle connection, or on a new one if the idle one is silent. A pool whose
    /// connections are all in use counts as busy and not as down, as long as the server has answered lately. Makes no
    /// span.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn ping(&self) -> Result<(), sqlx::Error> {
        self.pool.ping().await
    }

    /// Waits until every connection is returned and closes them.
    pub async fn close(&self) {
        let closed = self.pool.connections.close();
        self.pool.release_at_hand();
        closed.await;
    }
}

/// Traces a pool that was built with settings of its own. Its statements have no time limit but the server's.
impl From<PgPool> for Db {
    fn from(pool: PgPool) -> Self {
        Self::of(pool, None)
    }
}
