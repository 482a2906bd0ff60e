use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use http::StatusCode;

use crate::router::Shared;

/// Say whether the API can do its work
///
/// Asks every service behind it; the body has a boolean for each.
#[utoipa::path(
    get,
    path = "/readyz",
    tag = "public",
    responses(
        (status = 200, description = "All are ready.", body = BTreeMap<String, bool>),
        (status = 503, description = "Some are not.", body = BTreeMap<String, bool>),
    ),
)]
pub(crate) async fn readyz(State(shared): State<Shared>) -> (StatusCode, Json<BTreeMap<&'static str, bool>>) {
    let health = shared.peers.health().await;
    let ready = health.iter().all(|(_, ready)| *ready);
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(health.into_iter().collect()))
}
