//! Database connections whose statements would have no spans.

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions, Connection, PgConnection, PgPool};

pub async fn connection_connect(url: &str) {
    drop(PgConnection::connect(url).await);
}

pub async fn connection_connect_with(options: &PgConnectOptions) {
    drop(PgConnection::connect_with(options).await);
}

pub async fn options_connect(options: &PgConnectOptions) {
    drop(options.connect().await);
}

pub async fn pool_connect(url: &str) {
    drop(PgPool::connect(url).await);
}

pub async fn pool_connect_with(options: PgConnectOptions) {
    drop(PgPool::connect_with(options).await);
}

pub fn pool_connect_lazy(url: &str) {
    drop(PgPool::connect_lazy(url));
}

pub fn pool_connect_lazy_with(options: PgConnectOptions) {
    drop(PgPool::connect_lazy_with(options));
}

pub async fn pool_options_connect(pool: PgPoolOptions, url: &str) {
    drop(pool.connect(url).await);
}

pub async fn pool_options_connect_with(pool: PgPoolOptions, options: PgConnectOptions) {
    drop(pool.connect_with(options).await);
}

pub fn pool_options_connect_lazy(pool: PgPoolOptions, url: &str) {
    drop(pool.connect_lazy(url));
}

pub fn pool_options_connect_lazy_with(pool: PgPoolOptions, options: PgConnectOptions) {
    drop(pool.connect_lazy_with(options));
}
