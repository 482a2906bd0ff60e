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

/// A connection of the pool whose statements are spans. It returns to the pool when it is dropped.
///
/// `&mut connection` is the executor that makes spans. The plain connection that it dereferences to makes none: it is
/// for code that needs one, such as sqlx's migrator.
#[derive(Debug)]
pub struct Connection {
    pub(super) connection: Lease,
    pub(super) database: Arc<Database>,
}

impl Connection {
    pub(super) fn new(connection: Lease, database: Arc<Database>) -> Self {
        Self { connection, database }
    }

    /// Starts a transaction. It is rolled back if it is dropped without [`Tx::commit`].
    ///
    /// If the start fails or is cancelled, the connection must not be used any more. It is closed when it is dropped.
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

/// For code that is generic over sqlx's pools. The wait and `BEGIN` are spans. The statements of sqlx's own transaction
/// are not, and only the server limits their time. If `BEGIN` is cancelled before its answer, sqlx leaves that
/// transaction open.
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
