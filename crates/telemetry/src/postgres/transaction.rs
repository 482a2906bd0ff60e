use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use sqlx::Error;
use sqlx::postgres::PgTransactionManager;
use sqlx_core::transaction::TransactionManager;

use super::database::Database;
use super::pool::Lease;
use super::statement::Statement;

/// A transaction, or a savepoint in one, whose statements are spans. It is rolled back if it is dropped without
/// [`Tx::commit`].
#[derive(Debug)]
pub struct Tx<'c> {
    pub(super) connection: Held<'c>,
    pub(super) database: Arc<Database>,
    depth: Depth,
    /// Whether it must be rolled back when it is dropped.
    open: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Depth {
    Transaction,
    Savepoint,
}

/// The connection of a transaction: its own, or a borrowed one.
#[derive(Debug)]
pub(super) enum Held<'c> {
    Leased(Lease),
    Borrowed(&'c mut Lease),
}

impl Deref for Held<'_> {
    type Target = Lease;

    fn deref(&self) -> &Lease {
        match self {
            Self::Leased(connection) => connection,
            Self::Borrowed(connection) => connection,
        }
    }
}

impl DerefMut for Held<'_> {
    fn deref_mut(&mut self) -> &mut Lease {
        match self {
            Self::Leased(connection) => connection,
            Self::Borrowed(connection) => connection,
        }
    }
}

impl<'c> Tx<'c> {
    pub(super) async fn begin(mut connection: Held<'c>, database: Arc<Database>) -> Result<Self, Error> {
        Statement::of_command(&database, "BEGIN").run(connection.begin()).await?;
        Ok(Self { connection, database, depth: Depth::Transaction, open: true })
    }

    /// Sets a savepoint: its work can be rolled back without the rest of the transaction.
    ///
    /// # Errors
    /// When the server refuses or is lost.
    pub async fn savepoint(&mut self) -> Result<Tx<'_>, Error> {
        let database = Arc::clone(&self.database);
        let begun = PgTransactionManager::begin(&mut self.connection, None);
        Statement::of_command(&database, "SAVEPOINT").run(begun).await?;
        Ok(Tx { connection: Held::Borrowed(&mut self.connection), database, depth: Depth::Savepoint, open: true })
    }

    /// Commits the transaction. A savepoint is released: its work is committed with the transaction.
    ///
    /// # Errors
    /// When the server refuses or is lost; then it is unknown whether the work is committed.
    pub async fn commit(mut self) -> Result<(), Error> {
        let command = match self.depth {
            Depth::Transaction => "COMMIT",
            Depth::Savepoint => "RELEASE SAVEPOINT",
        };
        let statement = Statement::of_command(&self.database, command);
        statement.run(PgTransactionManager::commit(&mut self.connection)).await?;
        self.open = false;
        if self.depth == Depth::Transaction {
            self.connection.answered();
        }
        Ok(())
    }

    /// Rolls back the transaction or the savepoint.
    ///
    /// # Errors
    /// When the server is lost; the work is rolled back all the same.
    pub async fn rollback(mut self) -> Result<(), Error> {
        let command = match self.depth {
            Depth::Transaction => "ROLLBACK",
            Depth::Savepoint => "ROLLBACK TO SAVEPOINT",
        };
        let statement = Statement::of_command(&self.database, command);
        statement.run(PgTransactionManager::rollback(&mut self.connection)).await?;
        self.open = false;
        Ok(())
    }
}

impl Drop for Tx<'_> {
    fn drop(&mut self) {
        if self.open {
            // Sent when the connection is next used, at its return at the latest.
            PgTransactionManager::start_rollback(&mut self.connection);
        }
    }
}
