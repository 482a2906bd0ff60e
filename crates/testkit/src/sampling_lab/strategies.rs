//! A server of sampling strategies with the API of Jaeger's collector: `GET /sampling?service=NAME` answers in JSON.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use axum::extract::{Query, State};
use axum::routing::get;
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::journal::Journal;
use crate::server_task::{ANY_PORT, ServerTask};

/// The strategy for every service.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Strategy {
    /// Keeps this ratio of all traces.
    Probability(f64),
    /// Keeps this many traces a second.
    PerSecond(u32),
}

impl Strategy {
    fn answer(self) -> Value {
        match self {
            Self::Probability(ratio) => {
                json!({"strategyType": "PROBABILISTIC", "probabilisticSampling": {"samplingRate": ratio}})
            }
            Self::PerSecond(traces) => {
                json!({"strategyType": "RATE_LIMITING", "rateLimitingSampling": {"maxTracesPerSecond": traces}})
            }
        }
    }
}

#[derive(Debug)]
struct Shared {
    strategy: Strategy,
    asked: Journal<String>,
}

/// The server. Its port is free again when it is dropped.
#[derive(Debug)]
pub(super) struct Server {
    url: String,
    shared: Arc<Shared>,
    _server: ServerTask,
}

#[derive(Deserialize)]
struct Asked {
    service: String,
}

impl Server {
    pub(super) async fn start(strategy: Strategy) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(ANY_PORT).await.context("bind the server of strategies")?;
        let url = format!("http://{}/sampling", listener.local_addr()?);
        let shared = Arc::new(Shared { strategy, asked: Journal::default() });
        let router = Router::new().route("/sampling", get(answer)).with_state(Arc::clone(&shared));
        Ok(Self { url, shared, _server: ServerTask::http(listener, router) })
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// Waits until a service has asked twice, because it has applied the first answer by then.
    pub(super) async fn wait_until_followed_by(&self, service: &str, deadline: Duration) -> anyhow::Result<()> {
        let twice = |asked: &[String]| asked.iter().filter(|name| *name == service).count() >= 2;
        self.shared.asked.wait_until(deadline, twice).await.map(drop)
    }
}

async fn answer(State(shared): State<Arc<Shared>>, Query(Asked { service }): Query<Asked>) -> Json<Value> {
    shared.asked.record(service);
    Json(shared.strategy.answer())
}
