//! Against a real server, where `TELEMETRY_TEST_POSTGRES` has the URL of one.

use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::join_all;
use opentelemetry_sdk::trace::SpanData;
use sqlx::postgres::PgConnectOptions;
use sqlx::{Acquire, Postgres};
use tokio::time::timeout;

use super::{Recorder, assert_child, assert_failed, assert_not_failed, attributes, named, text};
use crate::postgres::{Db, PoolLimits};
use crate::step;

/// A pool of one connection, if there is a server.
fn db() -> Option<Db> {
    let Ok(url) = std::env::var("TELEMETRY_TEST_POSTGRES") else {
        eprintln!("not run: TELEMETRY_TEST_POSTGRES is not set");
        return None;
    };
    let options: PgConnectOptions = url.parse().unwrap();
    Some(Db::new(
        options,
        PoolLimits {
            max_connections: 1,
            acquire_timeout: Duration::from_millis(500),
            statement_timeout: Duration::from_secs(5),
        },
    ))
}

fn names(spans: &[SpanData]) -> Vec<&str> {
    spans.iter().map(|span| &*span.name).collect()
}

#[tokio::test]
async fn a_savepoint_is_undone_alone_and_its_statements_are_spans() {
    let Some(db) = db() else { return };
    let recorder = Recorder::start();
    let mut tx = db.begin().await.unwrap();
    sqlx::query("CREATE TEMP TABLE item (n integer)").execute(&mut tx).await.unwrap();
    sqlx::query("INSERT INTO item VALUES ($1)").bind(1).execute(&mut tx).await.unwrap();
    let mut point = tx.savepoint().await.unwrap();
    sqlx::query("INSERT INTO item VALUES ($1)").bind(2).execute(&mut point).await.unwrap();
    point.rollback().await.unwrap();
    let count: i64 = sqlx::query_scalar("SELECT count(*) FROM item").fetch_one(&mut tx).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(count, 1);
    let expected = [
        "acquire connection",
        "BEGIN",
        "CREATE",
        "INSERT item",
        "SAVEPOINT",
        "INSERT item",
        "ROLLBACK TO SAVEPOINT",
        "SELECT item",
        "COMMIT",
    ];
    assert_eq!(names(&recorder.spans()), expected);
    recorder.spans().iter().for_each(assert_not_failed);
}

#[tokio::test]
async fn a_transaction_that_is_given_up_before_it_has_begun_keeps_nobodys_work() {
    let Some(db) = db() else { return };
    let other = self::db().unwrap();
    let _recorder = Recorder::start();
    let mut connection = db.acquire().await.unwrap();
    // Repeated, because a fast server may have answered at the first poll.
    while futures_util::poll!(std::pin::pin!(connection.begin())).is_ready() {}
    drop(connection);
    sqlx::query("CREATE TABLE kept ()").execute(&db).await.unwrap();
    let kept: bool = sqlx::query_scalar("SELECT to_regclass('kept') IS NOT NULL").fetch_one(&other).await.unwrap();
    assert!(kept, "it was written into the transaction that nobody holds");
    sqlx::query("DROP TABLE kept").execute(&db).await.unwrap();
}

#[tokio::test]
async fn the_text_of_a_statement_is_shown_where_its_values_are_kept_apart() {
    let Some(db) = db() else { return };
    let recorder = Recorder::start();
    sqlx::query("SELECT $1::text").bind("Jane").fetch_one(&db).await.unwrap();
    sqlx::query(sqlx::AssertSqlSafe("SELECT 'Jane'".to_owned())).fetch_one(&db).await.unwrap();
    let spans = recorder.spans();
    let texts: Vec<_> =
        spans.iter().filter(|span| span.name == "SELECT").map(|span| text(span, "db.query.text")).collect();
    assert_eq!(texts, ["SELECT $1::text", ""]);
    assert!(!format!("{spans:?}").contains("Jane"));
}

#[tokio::test]
async fn a_full_pool_says_that_it_waits_for_a_connection_in_use() {
    let Some(db) = db() else { return };
    let recorder = Recorder::start();
    let held = db.acquire().await.unwrap();
    assert!(db.acquire().await.is_err());
    drop(held);
    let spans = recorder.spans();
    let [first, second] = &spans[..] else { panic!("{spans:#?}") };
    assert_eq!(first.events.events[0].name, "opening a connection");
    assert_not_failed(first);
    assert_eq!(second.events.events[0].name, "waiting for a connection in use");
    assert_failed(second, "pool_timed_out");
    assert_eq!(attributes(second)["db.client.connection.count"], &1_i64.into());
    assert_eq!(attributes(second)["db.client.connection.max"], &1_i64.into());
}

#[tokio::test]
async fn a_listener_hears_and_its_wait_is_no_span() {
    let Some(db) = db() else { return };
    let other = self::db().unwrap();
    let recorder = Recorder::start();
    let mut listener = db.listen(&["telemetry_test"]).await.unwrap();
    sqlx::query("SELECT pg_notify('telemetry_test', $1)").bind("news").execute(&other).await.unwrap();
    assert_eq!(listener.recv().await.unwrap().payload(), "news");
    assert_eq!(names(&recorder.spans()), ["LISTEN", "acquire connection", "SELECT"]);
}

/// Code that is written for any sqlx pool.
async fn one(database: impl Acquire<'_, Database = Postgres>) -> i32 {
    let mut connection = database.acquire().await.unwrap();
    sqlx::query_scalar("SELECT 1").fetch_one(&mut *connection).await.unwrap()
}

#[tokio::test]
async fn code_for_any_pool_takes_a_traced_one_and_its_wait_is_a_span() {
    let Some(db) = db() else { return };
    let recorder = Recorder::start();
    assert_eq!(step("work", one(&db)).await, 1);
    let spans = recorder.spans();
    assert_child(named(&spans, "acquire connection"), named(&spans, "work"));
}

async fn select(db: &Db, value: i32) -> i32 {
    sqlx::query_scalar("SELECT $1").bind(value).fetch_one(db).await.unwrap()
}

/// Whether a connection can be had without a wait.
fn is_at_hand(db: &Db) -> bool {
    db.acquire().now_or_never().is_some_and(|connection| connection.is_ok())
}

#[tokio::test]
async fn a_connection_whose_last_statement_was_answered_is_taken_again_at_once() {
    let Some(db) = db() else { return };
    let _recorder = Recorder::start();
    assert_eq!(select(&db, 1).await, 1);
    assert!(is_at_hand(&db));
    let mut tx = db.begin().await.unwrap();
    sqlx::query("SELECT 1").execute(&mut tx).await.unwrap();
    tx.commit().await.unwrap();
    assert!(is_at_hand(&db));
}

#[tokio::test]
async fn a_connection_that_may_have_something_left_to_say_is_asked_first() {
    let Some(db) = db() else { return };
    let _recorder = Recorder::start();
    let given_up = sqlx::query("SELECT pg_sleep(0.1)").execute(&db);
    assert!(timeout(Duration::from_millis(20), given_up).await.is_err());
    assert!(!is_at_hand(&db), "a statement was given up");
    assert_eq!(select(&db, 2).await, 2);

    let mut tx = db.begin().await.unwrap();
    sqlx::query("CREATE TABLE left_open ()").execute(&mut tx).await.unwrap();
    drop(tx);
    assert!(!is_at_hand(&db), "a transaction was given up");
    let left: bool = sqlx::query_scalar("SELECT to_regclass('left_open') IS NOT NULL").fetch_one(&db).await.unwrap();
    assert!(!left);

    sqlx::query("SELECT no_such_column").execute(&db).await.unwrap_err();
    assert!(!is_at_hand(&db), "a statement has failed");
    assert_eq!(select(&db, 3).await, 3);
}

#[tokio::test]
async fn who_waits_gets_the_connection_that_comes_back() {
    let Some(db) = db() else { return };
    let _recorder = Recorder::start();
    for _ in 0..20 {
        let tx = db.begin().await.unwrap();
        let waiting = [select(&db, 1), select(&db, 2), select(&db, 3)];
        let (values, committed) = tokio::join!(join_all(waiting), tx.commit());
        committed.unwrap();
        assert_eq!(values, [1, 2, 3]);
    }
}

#[tokio::test]
async fn code_for_any_pool_gets_the_connection_at_hand() {
    let Some(db) = db() else { return };
    let _recorder = Recorder::start();
    assert_eq!(select(&db, 1).await, 1);
    let mut tx = Acquire::begin(&db).await.unwrap();
    sqlx::query("SELECT 1").execute(&mut *tx).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(select(&db, 1).await, 1);
    db.close().await;
    assert!(db.acquire().await.is_err());
}
