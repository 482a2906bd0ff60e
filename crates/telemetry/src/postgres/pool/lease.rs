//! A connection that has been taken out of the pool.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::Instant;

use sqlx::pool::PoolConnection;
use sqlx::postgres::PgTransactionManager;
use sqlx::{Error, PgConnection, Postgres};
use sqlx_core::transaction::TransactionManager;
use tokio::time::timeout;

use super::{ANSWER, Pool, UNASKED};

const UNTIL_DROPPED: &str = "a connection is there until it is dropped";

/// A connection that is taken out of the pool. When it is dropped, it is kept at hand if the server has answered
/// everything. Otherwise it returns to sqlx, which pings it. That return has a time limit: sqlx alone would wait
/// without end, and its place in the pool would stay taken.
#[derive(Debug)]
pub(crate) struct Lease {
    /// `Some` until it is dropped.
    connection: Option<PoolConnection<Postgres>>,
    pool: Arc<Pool>,
    /// When it was taken from sqlx.
    since: Instant,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// The server has answered everything, and no transaction is open.
    Answered,
    /// An answer may be outstanding, or a transaction open.
    Used,
    /// A `BEGIN` is not answered yet.
    Beginning,
}

impl Lease {
    pub(super) fn new(connection: PoolConnection<Postgres>, pool: &Arc<Pool>) -> Self {
        Self { connection: Some(connection), pool: Arc::clone(pool), since: Instant::now(), state: State::Used }
    }

    /// Starts a transaction. If it is cancelled before the answer, the connection is closed when it is dropped: sqlx
    /// counts a transaction from the answer on, so it would not roll it back, and the next user would write into it.
    pub(in crate::postgres) async fn begin(&mut self) -> Result<(), Error> {
        self.state = State::Beginning;
        if let Some(connection) = &mut self.connection {
            PgTransactionManager::begin(connection, None).await?;
        }
        self.state = State::Used;
        Ok(())
    }

    /// Notes that the server has answered everything, and that no transaction is open.
    pub(in crate::postgres) fn answered(&mut self) {
        self.state = State::Answered;
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let Some(mut connection) = self.connection.take() else { return };
        let (pool, since) = (Arc::clone(&self.pool), self.since);
        match self.state {
            State::Beginning => connection.close_on_drop(),
            State::Answered if since.elapsed() < UNASKED && pool.may_keep() => {
                let kept = Self { connection: Some(connection), pool: Arc::clone(&pool), since, state: State::Used };
                pool.at_hand.keep(kept);
                pool.came_back.notify_one();
                // A caller may have begun to wait for sqlx meanwhile. Either it has released this connection, or it is
                // seen here.
                if !pool.may_keep() {
                    pool.release_at_hand();
                }
            }
            State::Answered | State::Used => {
                let returned = connection.return_to_pool();
                tokio::spawn(async move {
                    let returned = timeout(ANSWER, returned).await;
                    pool.heard().answered = returned.is_ok().then(Instant::now);
                    if returned.is_err() {
                        pool.ask_idle();
                    }
                });
            }
        }
    }
}

#[expect(clippy::expect_used, reason = "only Drop takes the connection away")]
impl Deref for Lease {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        self.connection.as_ref().expect(UNTIL_DROPPED)
    }
}

#[expect(clippy::expect_used, reason = "only Drop takes the connection away")]
impl DerefMut for Lease {
    fn deref_mut(&mut self) -> &mut PgConnection {
        self.state = State::Used;
        self.connection.as_mut().expect(UNTIL_DROPPED)
    }
}
