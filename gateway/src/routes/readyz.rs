use axum::Json;
use axum::extract::State;
use http::StatusCode;
use serde_json::{Map, Value};

use crate::router::Shared;

/// `GET /readyz`: 200 if every service behind the API is ready, with a boolean for each.
pub(crate) async fn readyz(State(shared): State<Shared>) -> (StatusCode, Json<Map<String, Value>>) {
    let health = shared.peers.health().await;
    let ready = health.iter().all(|(_, ready)| *ready);
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(health.into_iter().map(|(name, ready)| (name.to_owned(), ready.into())).collect()))
}
