//! `acquire connection` and statement spans for Postgres, without code at the query.
//!
//! [`Db`] and [`Tx`] are sqlx executors: `sqlx::query!(..).fetch_one(&db)` and
//! `sqlx::query!(..).execute(&mut tx)` are traced as they stand.

mod executor;
pub(crate) mod statement;
mod summary;

use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{PgPool, Postgres, Transaction};
use tracing::{Instrument, info_span};

use crate::span::{TARGET, Unfinished, fail};
use statement::{Server, traced};

/// How many connections there may be and how long one waits for one.
#[derive(Debug, Clone, Copy)]
pub struct PoolLimits {
    /// Connections at most.
    pub max_connections: u32,
    /// How long a caller waits for a free one.
    pub acquire_timeout: Duration,
}

/// A pool of Postgres connections whose waits and statements are spans.
#[derive(Debug, Clone)]
pub struct Db {
    pool: PgPool,
    server: Server,
}

impl Db {
    /// A pool that connects when it is first used and again after every loss.
    pub fn new(options: PgConnectOptions, limits: PoolLimits) -> Self {
        let server = Server::of(&options);
        let pool = PgPoolOptions::new()
            .max_connections(limits.max_connections)
            .acquire_timeout(limits.acquire_timeout)
            // A ping before every use would cost a round trip; the statement itself finds a dead connection,
            // and the health check replaces those that a restart of the server has left.
            .test_before_acquire(false)
            .connect_lazy_with(options);
        Self { pool, server }
    }

    /// Starts a transaction. Dropped without [`Tx::commit`], it is rolled back.
    ///
    /// # Errors
    /// When no connection is free in time or the server cannot be reached.
    pub async fn begin(&self) -> Result<Tx, sqlx::Error> {
        let connection = self.acquire().await?;
        let begin = Transaction::begin(connection, None);
        let transaction = traced("BEGIN", &self.server, begin).await?;
        Ok(Tx { transaction, server: self.server.clone() })
    }

    /// Whether the database answers, as far as the pool has a connection to ask it with: a pool that is
    /// all in use is busy, not down. Makes no span.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn ping(&self) -> Result<(), sqlx::Error> {
        let mut connection = match self.pool.try_acquire() {
            Some(connection) => connection,
            None if self.pool.size() >= self.pool.options().get_max_connections() => return Ok(()),
            None => self.pool.acquire().await?,
        };
        sqlx::Connection::ping(&mut *connection).await
    }

    /// Waits until every connection is returned and closes them.
    pub async fn close(&self) {
        self.pool.close().await;
    }

    async fn acquire(&self) -> Result<PoolConnection<Postgres>, sqlx::Error> {
        let span = info_span!(target: TARGET, "acquire", otel.name = "acquire connection", otel.kind = "internal");
        let unfinished = Unfinished::new(&span);
        let connection = self.pool.acquire().instrument(span.clone()).await;
        unfinished.finished();
        if let Err(error) = &connection {
            fail(&span, statement::error_type(error));
        }
        connection
    }
}

/// A transaction whose statements are spans.
#[derive(Debug)]
pub struct Tx {
    transaction: Transaction<'static, Postgres>,
    server: Server,
}

impl Tx {
    /// Makes the transaction's work last.
    ///
    /// # Errors
    /// When the server refuses or is lost; whether the work lasts is unknown then.
    pub async fn commit(self) -> Result<(), sqlx::Error> {
        traced("COMMIT", &self.server, self.transaction.commit()).await
    }

    /// Undoes the transaction's work.
    ///
    /// # Errors
    /// When the server is lost; the work is undone all the same.
    pub async fn rollback(self) -> Result<(), sqlx::Error> {
        traced("ROLLBACK", &self.server, self.transaction.rollback()).await
    }
}
