use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use sqlx::{Acquire, Error, PgConnection, Postgres, Transaction};

use super::Db;
use super::database::Database;
use super::pool::Lease;
use super::statement::Statement;
use super::transaction::{Held, Tx};

/// A connection out of the pool whose statements are spans. It goes back when it is dropped.
///
/// `&mut connection` is the executor that makes spans. The plain connection that it dereferences to makes none: it is
/// there for what asks for one, such as sqlx's migrator.
#[derive(Debug)]
pub struct Connection {
    pub(super) connection: Lease,
    pub(super) database: Arc<Database>,
}

impl Connection {
    pub(super) fn new(connection: Lease, database: Arc<Database>) -> Self {
        Self { connection, database }
    }

    /// Starts a transaction. Dropped without [`Tx::commit`], it is rolled back; where it has not begun, because of an
    /// error or because it was given up, the connection is not to be used any more, and is closed when it is dropped.
    ///
    /// # Errors
    /// When the server refuses or is lost.
    pub async fn begin(&mut self) -> Result<Tx<'_>, Error> {
        Tx::begin(Held::Borrowed(&mut self.connection), Arc::clone(&self.database)).await
    }
}

impl Deref for Connection {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.connection
    }
}

impl DerefMut for Connection {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.connection
    }
}

/// For code that is written for any sqlx pool. The wait and `BEGIN` are spans; the statements of sqlx's own
/// transaction are not, and have no time limit but the server's; and sqlx leaves a transaction open whose `BEGIN` is
/// given up before the answer.
impl<'c> Acquire<'c> for &'c Db {
    type Database = Postgres;
    type Connection = Connection;

    fn acquire(self) -> BoxFuture<'c, Result<Connection, Error>> {
        Db::acquire(self).boxed()
    }

    fn begin(self) -> BoxFuture<'c, Result<Transaction<'c, Postgres>, Error>> {
        async move {
            let connection = self.pool.connection(&self.database).await?;
            Statement::of_command(&self.database, "BEGIN").run(Transaction::begin(connection, None)).await
        }
        .boxed()
    }
}
