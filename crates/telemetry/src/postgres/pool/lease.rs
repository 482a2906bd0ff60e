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

/// A connection that is taken out of the pool. Dropped, it goes back: at hand if the server has answered everything
/// that it was asked, and else to sqlx, which asks it, unless it does not answer in time: sqlx alone would wait for it
/// without end, and its place in the pool with it.
#[derive(Debug)]
pub(crate) struct Lease {
    /// There until it is dropped.
    connection: Option<PoolConnection<Postgres>>,
    pool: Arc<Pool>,
    /// Since when sqlx has not asked it.
    since: Instant,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// The server has answered everything, and no transaction is open.
    Answered,
    /// Perhaps not.
    Used,
    /// A `BEGIN` is not answered yet.
    Beginning,
}

impl Lease {
    pub(super) fn new(connection: PoolConnection<Postgres>, pool: &Arc<Pool>) -> Self {
        Self { connection: Some(connection), pool: Arc::clone(pool), since: Instant::now(), state: State::Used }
    }

    /// Starts a transaction. One that is given up before it is answered takes its connection along: sqlx counts a
    /// transaction from the answer on, so that it would not undo it, and the next user would write into it.
    pub(in crate::postgres) async fn begin(&mut self) -> Result<(), Error> {
        self.state = State::Beginning;
        if let Some(connection) = &mut self.connection {
            PgTransactionManager::begin(connection, None).await?;
        }
        self.state = State::Used;
        Ok(())
    }

    /// Notes that the server has answered the last of what it was asked, and that no transaction is open.
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
                // Of those who began to wait for sqlx's meanwhile, and this: one sees the other.
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
