//! A complete service on axum and sqlx, with all the code that its traces need:
//!
//! `DATABASE_URL=postgres://… cargo run --example shop`, then `curl --json '"tea"' http://127.0.0.1:3000/orders`

use std::time::Duration;

use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use http::StatusCode;
use telemetry::http::ServerLayer;
use telemetry::postgres::{Db, PoolLimits};
use telemetry::{Config, Task};
use tokio::net::TcpListener;

async fn order(State(db): State<Db>, Json(item): Json<String>) -> Result<(StatusCode, String), StatusCode> {
    let order = store(&db, &item).await.map_err(|_| StatusCode::SERVICE_UNAVAILABLE)?;
    // Runs in the background after the answer, in the same trace.
    Task::internal("tell the warehouse").attribute("shop.order.id", order).spawn(async move {
        telemetry::info!(order, "to be packed");
    });
    Ok((StatusCode::CREATED, order.to_string()))
}

/// A `tracing` span of the application's own code is nested between the spans of the instruments.
#[tracing::instrument(skip_all)]
async fn store(db: &Db, item: &str) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("INSERT INTO orders (item) VALUES ($1) RETURNING id").bind(item).fetch_one(db).await
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let telemetry = telemetry::init(&Config::new("shop"), env!("CARGO_PKG_VERSION"))?;
    let (acquire_timeout, statement_timeout) = (Duration::from_secs(2), Duration::from_secs(3));
    let limits = PoolLimits { max_connections: 10, acquire_timeout, statement_timeout };
    let db = Db::new(std::env::var("DATABASE_URL")?.parse()?, limits);
    sqlx::query("CREATE TABLE IF NOT EXISTS orders (id bigserial PRIMARY KEY, item text)").execute(&db).await?;
    let app = Router::new().route("/orders", post(order)).with_state(db).layer(ServerLayer::new(&[]));
    let stopped = async { tokio::signal::ctrl_c().await.unwrap_or_default() };
    let listener = TcpListener::bind("127.0.0.1:3000").await?;
    axum::serve(listener, app).with_graceful_shutdown(stopped).await?;
    telemetry.shutdown(Duration::from_secs(5)).await;
    Ok(())
}
