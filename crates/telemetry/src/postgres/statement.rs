//! One CLIENT span per statement.

use std::borrow::Cow;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::Stream;
use sqlx::error::BoxDynError;
use sqlx::postgres::{PgArguments, PgConnectOptions, PgStatement};
use sqlx::{Error, Execute, Postgres, SqlStr};
use tracing::{Instrument, Span, info_span};
use tracing_opentelemetry::OpenTelemetrySpanExt;

use super::summary::summarize;
use crate::span::{TARGET, Unfinished, abandon, end_now, fail};

/// Where the database is.
#[derive(Debug, Clone)]
pub(crate) struct Server {
    address: Arc<str>,
    port: u16,
    database: Arc<str>,
}

impl Server {
    pub(crate) fn of(options: &PgConnectOptions) -> Self {
        let database = options.get_database().unwrap_or_else(|| options.get_username());
        Self { address: options.get_host().into(), port: options.get_port(), database: database.into() }
    }
}

fn statement_span(sql: &str, server: &Server) -> Span {
    let summary = summarize(sql);
    let operation = summary.operation.to_ascii_uppercase();
    let name = summary.target.map_or_else(|| operation.clone(), |target| format!("{operation} {target}"));
    info_span!(
        target: TARGET,
        "statement",
        otel.name = name,
        otel.kind = "client",
        db.system.name = "postgresql",
        db.namespace = &*server.database,
        db.operation.name = operation,
        db.collection.name = summary.target,
        db.query.summary = name,
        server.address = &*server.address,
        server.port = i64::from(server.port),
    )
}

fn record_error(span: &Span, error: &Error) {
    if let Error::Database(error) = error
        && let Some(code) = error.code()
    {
        span.set_attribute("db.response.status_code", code.into_owned());
    }
    fail(span, error_type(error));
}

/// A class of errors, or the server's SQLSTATE. Never a message: it may quote a value.
pub(crate) fn error_type(error: &Error) -> Cow<'static, str> {
    match error {
        Error::Database(error) => Cow::Owned(error.code().unwrap_or(Cow::Borrowed("database")).into_owned()),
        Error::PoolTimedOut => Cow::Borrowed("pool_timed_out"),
        Error::PoolClosed => Cow::Borrowed("pool_closed"),
        Error::Io(_) => Cow::Borrowed("io"),
        Error::RowNotFound => Cow::Borrowed("row_not_found"),
        _ => Cow::Borrowed("client"),
    }
}

/// Runs a statement inside its span.
pub(crate) async fn traced<T>(
    sql: &str,
    server: &Server,
    statement: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    let span = statement_span(sql, server);
    let unfinished = Unfinished::new(&span);
    let result = statement.instrument(span.clone()).await;
    unfinished.finished();
    if let Err(error) = &result {
        record_error(&span, error);
    }
    result
}

/// Reads a statement's rows inside its span.
pub(crate) fn traced_stream<'e, S>(sql: &str, server: &Server, rows: S) -> TracedStream<S>
where
    S: Stream + Unpin + 'e,
{
    TracedStream { span: statement_span(sql, server), rows, waiting: false }
}

/// A stream of rows that holds its statement's span open. To stop reading between two rows is no
/// failure; to leave while the server has not answered is.
pub(crate) struct TracedStream<S> {
    span: Span,
    rows: S,
    waiting: bool,
}

impl<S> Drop for TracedStream<S> {
    fn drop(&mut self) {
        if self.waiting {
            abandon(&self.span);
        } else {
            end_now(&self.span);
        }
    }
}

impl<T, S: Stream<Item = Result<T, Error>> + Unpin> Stream for TracedStream<S> {
    type Item = S::Item;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        let next = this.span.in_scope(|| Pin::new(&mut this.rows).poll_next(cx));
        this.waiting = next.is_pending();
        if let Poll::Ready(Some(Err(error))) = &next {
            record_error(&this.span, error);
        }
        next
    }
}

/// A statement taken apart, so that its text can be read before it runs.
pub(crate) struct Peeked {
    sql: SqlStr,
    statement: Option<PgStatement>,
    arguments: Option<Result<Option<PgArguments>, BoxDynError>>,
    persistent: bool,
}

impl Peeked {
    pub(crate) fn new<'q>(mut query: impl Execute<'q, Postgres>) -> Self {
        let arguments = Some(query.take_arguments());
        let statement = query.statement().cloned();
        let persistent = query.persistent();
        Self { sql: query.sql(), statement, arguments, persistent }
    }

    pub(crate) fn text(&self) -> SqlStr {
        self.sql.clone()
    }
}

impl Execute<'_, Postgres> for Peeked {
    fn sql(self) -> SqlStr {
        self.sql
    }
    fn statement(&self) -> Option<&PgStatement> {
        self.statement.as_ref()
    }
    fn take_arguments(&mut self) -> Result<Option<PgArguments>, BoxDynError> {
        self.arguments.take().unwrap_or(Ok(None))
    }
    fn persistent(&self) -> bool {
        self.persistent
    }
}
