use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::time::Duration;

use futures_util::{StreamExt, stream};
use opentelemetry::trace::SpanKind;
use sqlx::Error;
use sqlx::error::{DatabaseError, ErrorKind};
use sqlx::postgres::PgConnectOptions;

use super::{Recorder, WORDS, assert_failed, assert_not_failed, attributes, text};
use crate::postgres::database::Database;
use crate::postgres::statement::{CapturedQuery, Statement, error_type};
use crate::postgres::{Db, PoolLimits};

const SQL: &str = "insert into shop.cart (items) values ($1)";

/// Begins the statement, with a value that its text does not hold.
fn statement() -> Statement {
    Statement::of_query(&Database::of(&options(), None), &CapturedQuery::new(sqlx::query(SQL).bind(WORDS)))
}

fn options() -> PgConnectOptions {
    PgConnectOptions::new_without_pgpass().host("127.0.0.1").port(1).username("data_svc").database("shop")
}

/// An error that quotes the refused value, as those of the server do.
#[derive(Debug)]
struct UniqueViolation;

impl fmt::Display for UniqueViolation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key (name)=({WORDS}) already exists.")
    }
}

impl StdError for UniqueViolation {}

impl DatabaseError for UniqueViolation {
    fn message(&self) -> &str {
        WORDS
    }
    fn code(&self) -> Option<Cow<'_, str>> {
        Some("23505".into())
    }
    fn as_error(&self) -> &(dyn StdError + Send + Sync + 'static) {
        self
    }
    fn as_error_mut(&mut self) -> &mut (dyn StdError + Send + Sync + 'static) {
        self
    }
    fn into_error(self: Box<Self>) -> Box<dyn StdError + Send + Sync + 'static> {
        self
    }
    fn kind(&self) -> ErrorKind {
        ErrorKind::UniqueViolation
    }
}

#[tokio::test]
async fn a_database_that_is_not_there_fails_the_wait_for_a_connection() {
    let mut recorder = Recorder::start();
    let limits = PoolLimits {
        max_connections: 1,
        acquire_timeout: Duration::from_millis(100),
        statement_timeout: Duration::from_secs(5),
    };
    let db = Db::new(options(), limits);
    assert!(sqlx::query(SQL).bind(WORDS).execute(&db).await.is_err());

    let span = recorder.only().await;
    assert_eq!((&*span.name, &span.span_kind), ("acquire connection", &SpanKind::Internal));
    assert_failed(&span, "connect_timed_out");
}

#[tokio::test]
async fn asking_whether_the_database_answers_makes_no_span() {
    let recorder = Recorder::start();
    let limits = PoolLimits {
        max_connections: 1,
        acquire_timeout: Duration::from_millis(20),
        statement_timeout: Duration::from_secs(5),
    };
    assert!(Db::new(options(), limits).ping().await.is_err());
    assert!(recorder.spans().is_empty());
}

#[tokio::test]
async fn a_statement_is_named_after_what_it_does_to_which_table() {
    let mut recorder = Recorder::start();
    statement().run(async { Ok(()) }).await.unwrap();
    let span = recorder.only().await;
    assert_eq!((&*span.name, &span.span_kind), ("INSERT shop.cart", &SpanKind::Client));
    assert_eq!(text(&span, "db.system.name"), "postgresql");
    assert_eq!(text(&span, "db.namespace"), "shop|shop");
    assert_eq!(text(&span, "db.operation.name"), "INSERT");
    assert_eq!(text(&span, "db.collection.name"), "shop.cart");
    assert_eq!(text(&span, "db.query.summary"), "INSERT shop.cart");
    assert_eq!(text(&span, "db.query.text"), SQL);
    assert_eq!(text(&span, "server.address"), "127.0.0.1");
    assert_eq!(attributes(&span)["server.port"], &1_i64.into());
    assert_not_failed(&span);
}

#[tokio::test]
async fn a_refused_statement_shows_the_code_and_not_the_value() {
    let mut recorder = Recorder::start();
    let refused = async { Err::<(), _>(Error::Database(Box::new(UniqueViolation))) };
    assert!(statement().run(refused).await.is_err());
    let span = recorder.only().await;
    assert_failed(&span, "23505");
    assert_eq!(text(&span, "db.response.status_code"), "23505");
    recorder.assert_discreet();
}

#[test]
fn the_class_of_an_error_never_holds_its_message() {
    let words = || -> Box<dyn StdError + Send + Sync> { WORDS.into() };
    for error in [
        Error::Database(Box::new(UniqueViolation)),
        Error::Io(io::Error::other(words())),
        Error::Tls(words()),
        Error::Protocol(WORDS.to_owned()),
        Error::Decode(words()),
        Error::ColumnNotFound(WORDS.to_owned()),
        Error::RowNotFound,
    ] {
        let class = error_type(&error);
        assert!(class.len() <= 20 && !class.contains(WORDS), "{class}");
    }
}

#[tokio::test]
async fn leaving_between_two_rows_is_no_failure() {
    let mut recorder = Recorder::start();
    let mut rows = statement().read(stream::iter([Ok(1), Ok::<_, Error>(2)]));
    assert_eq!(rows.next().await.unwrap().unwrap(), 1);
    drop(rows);
    assert_not_failed(&recorder.only().await);
}

#[tokio::test]
async fn leaving_while_the_server_has_not_answered_is_a_cancelled_statement() {
    let mut recorder = Recorder::start();
    let mut rows = statement().read(stream::pending::<Result<(), Error>>());
    assert!(tokio::time::timeout(Duration::from_millis(20), rows.next()).await.is_err());
    let left = std::time::SystemTime::now();
    drop(rows);
    let span = recorder.only().await;
    assert_failed(&span, "cancelled");
    assert!(span.end_time >= left);
}
