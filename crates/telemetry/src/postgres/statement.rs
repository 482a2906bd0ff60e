//! One CLIENT span per statement.

use std::borrow::Cow;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::Stream;
use opentelemetry::KeyValue;
use opentelemetry::trace::SpanKind;
use sqlx::error::BoxDynError;
use sqlx::postgres::{PgArguments, PgStatement};
use sqlx::{Arguments, Error, Execute, Postgres, SqlStr};
use tokio::time::{Instant, Sleep, sleep, timeout};

use super::database::{Database, Metadata};
use crate::conventions::{DB_NAMESPACE, DB_QUERY_SUMMARY, DB_RESPONSE_STATUS_CODE, DB_SYSTEM_NAME, ERROR_TYPE};
use crate::span::Span;
use crate::telemetry::Telemetry;

/// A statement in progress.
pub(crate) struct Statement {
    span: Span,
    measured: Option<Measured>,
    /// How long the server may take for an answer.
    timeout: Option<Duration>,
}

/// A statement whose duration is measured.
struct Measured {
    telemetry: Telemetry,
    metadata: Arc<Metadata>,
    started: Instant,
}

impl Statement {
    /// Begins the span of a statement that this crate makes itself, such as `COMMIT`.
    pub(crate) fn of_command(database: &Database, command: &'static str) -> Self {
        Self::begin(database, || Arc::new(Metadata::of_command(database, command)))
    }

    /// Begins the span of a statement of the application's.
    pub(crate) fn of_query(database: &Database, query: &CapturedQuery) -> Self {
        Self::begin(database, || database.metadata(query.text(), query.is_parameterised()))
    }

    fn begin(database: &Database, metadata: impl Fn() -> Arc<Metadata>) -> Self {
        let (telemetry, parent) = database.owner.inside();
        let (name, attributes) = (|| metadata().name.clone(), || metadata().attributes.clone());
        let span = Span::start(&telemetry.0, parent, SpanKind::Client, name, attributes);
        let is_measured = telemetry.0.meters.is_some();
        let measured = is_measured.then(|| Measured { telemetry, metadata: metadata(), started: Instant::now() });
        Self { span, measured, timeout: database.statement_timeout }
    }

    fn end(self, error: Option<&Error>) {
        if let Some(error) = error {
            self.fail(error);
        }
        if let Some(measured) = self.measured {
            measured.record(error);
        }
        self.span.end();
    }

    fn fail(&self, error: &Error) {
        if let Error::Database(error) = error
            && let Some(code) = error.code()
        {
            self.span.set(DB_RESPONSE_STATUS_CODE, code.into_owned());
        }
        self.span.fail(error_type(error));
    }

    /// Runs the statement inside its span.
    pub(crate) async fn run<T>(self, statement: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        let result = match self.timeout {
            Some(limit) => timeout(limit, self.span.attach(statement)).await.unwrap_or_else(|_| Err(silence())),
            None => self.span.attach(statement).await,
        };
        self.end(result.as_ref().err());
        result
    }

    /// Reads the statement's rows inside its span.
    pub(crate) fn read<S>(self, rows: S) -> Rows<S> {
        let deadline = self.timeout.map(|limit| Box::pin(sleep(limit)));
        Rows { statement: Some(self), rows, deadline, waiting: false }
    }
}

impl Measured {
    fn record(&self, error: Option<&Error>) {
        let Some(meters) = &self.telemetry.0.meters else { return };
        let shown = |pair: &&KeyValue| [DB_SYSTEM_NAME, DB_NAMESPACE, DB_QUERY_SUMMARY].contains(&pair.key.as_str());
        let mut attributes: Vec<_> = self.metadata.attributes.iter().filter(shown).cloned().collect();
        attributes.extend(error.map(|error| KeyValue::new(ERROR_TYPE, error_type(error))));
        meters.database(self.started.elapsed(), &attributes);
    }
}

/// The error of an answer that did not come in time: the network has lost it, or the statement.
fn silence() -> Error {
    Error::Io(io::ErrorKind::TimedOut.into())
}

/// A class of errors, or the server's SQLSTATE. Never a message: it may quote a value.
pub(crate) fn error_type(error: &Error) -> Cow<'static, str> {
    match error {
        Error::Database(error) => Cow::Owned(error.code().unwrap_or(Cow::Borrowed("database")).into_owned()),
        Error::PoolTimedOut => Cow::Borrowed("pool_timed_out"),
        Error::PoolClosed => Cow::Borrowed("pool_closed"),
        Error::Io(error) if error.kind() == io::ErrorKind::TimedOut => Cow::Borrowed("timeout"),
        Error::Io(_) => Cow::Borrowed("io"),
        Error::Tls(_) => Cow::Borrowed("tls"),
        Error::RowNotFound => Cow::Borrowed("row_not_found"),
        _ => Cow::Borrowed("client"),
    }
}

/// A stream of rows that keeps its statement's span open. A reader may stop between two rows; to stop while the
/// server's answer is outstanding counts as a failure.
pub(crate) struct Rows<S> {
    statement: Option<Statement>,
    rows: S,
    /// The deadline of the server for the next row.
    deadline: Option<Pin<Box<Sleep>>>,
    waiting: bool,
}

impl<S> Drop for Rows<S> {
    fn drop(&mut self) {
        if let Some(statement) = self.statement.take()
            && !self.waiting
        {
            statement.end(None);
        }
    }
}

impl<T, S: Stream<Item = Result<T, Error>> + Unpin> Stream for Rows<S> {
    type Item = S::Item;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        let Some(statement) = &this.statement else { return Poll::Ready(None) };
        let mut next = statement.span.within(|| Pin::new(&mut this.rows).poll_next(cx));
        if let (Some(deadline), Some(limit)) = (&mut this.deadline, statement.timeout) {
            if next.is_pending() && !this.waiting {
                // The time that the reader has spent on the previous row does not count.
                deadline.as_mut().reset(Instant::now() + limit);
            }
            if next.is_pending() && deadline.as_mut().poll(cx).is_ready() {
                next = Poll::Ready(Some(Err(silence())));
            }
        }
        this.waiting = next.is_pending();
        let error = match &next {
            Poll::Ready(Some(Err(error))) => Some(error),
            Poll::Ready(None) => None,
            Poll::Ready(Some(Ok(_))) | Poll::Pending => return next,
        };
        if let Some(statement) = this.statement.take() {
            statement.end(error);
        }
        next
    }
}

/// A statement taken apart, so that its text can be read before it runs.
pub(crate) struct CapturedQuery {
    sql: SqlStr,
    statement: Option<PgStatement>,
    arguments: Option<Result<Option<PgArguments>, BoxDynError>>,
    persistent: bool,
}

impl CapturedQuery {
    pub(crate) fn new<'q>(mut query: impl Execute<'q, Postgres>) -> Self {
        let arguments = Some(query.take_arguments());
        let statement = query.statement().cloned();
        let persistent = query.persistent();
        Self { sql: query.sql(), statement, arguments, persistent }
    }

    fn text(&self) -> &str {
        self.sql.as_str()
    }

    /// Whether its values are bound parameters, and so not in its text.
    fn is_parameterised(&self) -> bool {
        matches!(&self.arguments, Some(Ok(Some(arguments))) if arguments.len() > 0)
    }
}

impl Execute<'_, Postgres> for CapturedQuery {
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
