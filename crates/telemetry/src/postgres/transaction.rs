use std::sync::Arc;

use sqlx::pool::MaybePoolConnection;
use sqlx::{Acquire, Error, Postgres, Transaction};

use super::database::Database;
use super::statement::Statement;

/// A transaction, or a savepoint in one, whose statements are spans. Dropped without [`Tx::commit`], it is
/// rolled back.
#[derive(Debug)]
pub struct Tx<'c> {
    pub(super) transaction: Transaction<'c, Postgres>,
    pub(super) database: Arc<Database>,
    depth: Depth,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Depth {
    Transaction,
    Savepoint,
}

impl<'c> Tx<'c> {
    pub(super) async fn begin(
        connection: impl Into<MaybePoolConnection<'c, Postgres>>,
        database: Arc<Database>,
    ) -> Result<Self, Error> {
        let transaction = Statement::of_command(&database, "BEGIN").run(Transaction::begin(connection, None)).await?;
        Ok(Self { transaction, database, depth: Depth::Transaction })
    }

    /// Sets a savepoint: what is done in it can be undone alone.
    ///
    /// # Errors
    /// When the server refuses or is lost.
    pub async fn savepoint(&mut self) -> Result<Tx<'_>, Error> {
        let database = Arc::clone(&self.database);
        let transaction = Statement::of_command(&database, "SAVEPOINT").run(self.transaction.begin()).await?;
        Ok(Tx { transaction, database, depth: Depth::Savepoint })
    }

    /// Makes the transaction's work last; a savepoint's, as far as the transaction's does.
    ///
    /// # Errors
    /// When the server refuses or is lost; whether the work lasts is unknown then.
    pub async fn commit(self) -> Result<(), Error> {
        let command = match self.depth {
            Depth::Transaction => "COMMIT",
            Depth::Savepoint => "RELEASE SAVEPOINT",
        };
        Statement::of_command(&self.database, command).run(self.transaction.commit()).await
    }

    /// Undoes the work of the transaction, or of the savepoint.
    ///
    /// # Errors
    /// When the server is lost; the work is undone all the same.
    pub async fn rollback(self) -> Result<(), Error> {
        let command = match self.depth {
            Depth::Transaction => "ROLLBACK",
            Depth::Savepoint => "ROLLBACK TO SAVEPOINT",
        };
        Statement::of_command(&self.database, command).run(self.transaction.rollback()).await
    }
}
