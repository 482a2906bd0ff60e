//! [`Db`], [`Connection`] and [`Tx`] as sqlx executors.

use async_stream::try_stream;
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use futures_util::{FutureExt, StreamExt, TryStreamExt};
use sqlx::postgres::{PgQueryResult, PgRow, PgStatement, PgTypeInfo};
use sqlx::{Describe, Either, Error, Execute, Executor, PgConnection, Postgres, SqlStr};

use super::database::Database;
use super::statement::{CapturedQuery, Statement};
use super::{Connection, Db, Tx};

type Step = Either<PgQueryResult, PgRow>;

fn fetch_many<'e>(
    database: &Database,
    connection: &'e mut PgConnection,
    query: CapturedQuery,
) -> impl StreamExt<Item = Result<Step, Error>> + Unpin + use<'e> {
    let statement = Statement::of_query(database, &query);
    statement.read(connection.fetch_many(query))
}

async fn fetch_optional(
    database: &Database,
    connection: &mut PgConnection,
    query: CapturedQuery,
) -> Result<Option<PgRow>, Error> {
    let statement = Statement::of_query(database, &query);
    statement.run(connection.fetch_optional(query)).await
}

impl<'c> Executor<'c> for &'c Db {
    type Database = Postgres;

    fn fetch_many<'e, 'q: 'e, E>(self, query: E) -> BoxStream<'e, Result<Step, Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        let query = CapturedQuery::new(query);
        try_stream! {
            let mut connection = self.acquire().await?;
            let mut rows = fetch_many(&self.database, &mut connection, query);
            while let Some(step) = rows.try_next().await? {
                yield step;
            }
            drop(rows);
            connection.connection.answered();
        }
        .boxed()
    }

    fn fetch_optional<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, Result<Option<PgRow>, Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        let query = CapturedQuery::new(query);
        async move {
            let mut connection = self.acquire().await?;
            let row = fetch_optional(&self.database, &mut connection, query).await?;
            connection.connection.answered();
            Ok(row)
        }
        .boxed()
    }

    fn prepare_with<'e>(self, sql: SqlStr, parameters: &'e [PgTypeInfo]) -> BoxFuture<'e, Result<PgStatement, Error>>
    where
        'c: 'e,
    {
        async move { self.acquire().await?.prepare_with(sql, parameters).await }.boxed()
    }

    fn describe<'e>(self, sql: SqlStr) -> BoxFuture<'e, Result<Describe<Postgres>, Error>>
    where
        'c: 'e,
    {
        async move { self.acquire().await?.describe(sql).await }.boxed()
    }
}

/// An executor that has a connection already.
macro_rules! executor_on {
    ($owner:ty, $connection:ident) => {
        impl<'c> Executor<'c> for &'c mut $owner {
            type Database = Postgres;

            fn fetch_many<'e, 'q: 'e, E>(self, query: E) -> BoxStream<'e, Result<Step, Error>>
            where
                'c: 'e,
                E: 'q + Execute<'q, Postgres>,
            {
                fetch_many(&self.database, &mut self.$connection, CapturedQuery::new(query)).boxed()
            }

            fn fetch_optional<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, Result<Option<PgRow>, Error>>
            where
                'c: 'e,
                E: 'q + Execute<'q, Postgres>,
            {
                fetch_optional(&self.database, &mut self.$connection, CapturedQuery::new(query)).boxed()
            }

            fn prepare_with<'e>(
                self,
                sql: SqlStr,
                parameters: &'e [PgTypeInfo],
            ) -> BoxFuture<'e, Result<PgStatement, Error>>
            where
                'c: 'e,
            {
                self.$connection.prepare_with(sql, parameters)
            }

            fn describe<'e>(self, sql: SqlStr) -> BoxFuture<'e, Result<Describe<Postgres>, Error>>
            where
                'c: 'e,
            {
                self.$connection.describe(sql)
            }
        }
    };
}

executor_on!(Connection, connection);
executor_on!(Tx<'_>, connection);
