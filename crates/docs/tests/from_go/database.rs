use std::time::Duration;

use telemetry::postgres::{Db, PoolLimits};
use telemetry::step;
use testkit::postgres::Cluster;

use super::recorded;

// ANCHOR: statement
async fn store(db: &Db, item: &str) -> Result<i64, sqlx::Error> {
    let insert = "INSERT INTO orders (item) VALUES ($1) RETURNING id";
    sqlx::query_scalar(insert).bind(item).fetch_one(db).await
}
// ANCHOR_END: statement

fn open(url: &str) -> Result<Db, sqlx::Error> {
    // ANCHOR: pool
    let limits = PoolLimits {
        max_connections: 10,
        acquire_timeout: Duration::from_secs(2),
        statement_timeout: Duration::from_secs(3),
    };
    let db = Db::new(url.parse()?, limits);
    // ANCHOR_END: pool
    Ok(db)
}

#[tokio::test]
async fn a_statement_is_a_span_with_its_text_and_without_its_values() -> anyhow::Result<()> {
    let (telemetry, mut recorder) = recorded()?;
    let db = open(&Cluster::from_env()?.admin_url("postgres"))?;
    // Seen by its own connection alone, and that is the only one there is: nothing else is running.
    sqlx::query("CREATE TEMP TABLE orders (id bigserial, item text)").execute(&db).await?;
    telemetry.scope(step("order", store(&db, "tea-for-jane"))).await?;
    let tree = recorder.tree(3).await?;
    assert_eq!(tree, "INTERNAL order\n  INTERNAL acquire connection\n  CLIENT INSERT orders\n");
    let text = recorder.attribute("INSERT orders", "db.query.text").unwrap_or_default();
    assert!(text.contains("$1") && !text.contains("jane"), "{text}");
    Ok(())
}

#[tokio::test]
async fn a_statement_that_fails_shows_its_sqlstate() -> anyhow::Result<()> {
    let (telemetry, mut recorder) = recorded()?;
    let db = open(&Cluster::from_env()?.admin_url("postgres"))?;
    sqlx::query("CREATE TEMP TABLE orders (id bigserial, item text CHECK (item <> 'tea'))").execute(&db).await?;
    assert!(telemetry.scope(store(&db, "tea")).await.is_err());
    let tree = recorder.tree(2).await?;
    assert!(tree.contains("CLIENT INSERT orders, failed: 23514\n"), "{tree}");
    Ok(())
}
