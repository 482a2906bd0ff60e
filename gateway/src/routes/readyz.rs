use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::RETRY_AFTER;

use crate::problem;
use crate::shared::Shared;

/// Say whether the API can do its work
///
/// Checks every service that the gateway depends on; the body has a boolean for each.
#[utoipa::path(
    get,
    path = "/readyz",
    tag = "public",
    responses(
        (status = 200, description = "All are ready.", body = BTreeMap<String, bool>),
        (status = 503, description = "Some are not.", body = BTreeMap<String, bool>,
         headers(("retry-after" = u64, description = "Seconds to wait before the next try."))),
    ),
)]
pub(crate) async fn readyz(State(shared): State<Shared>) -> Response {
    let health: BTreeMap<_, _> = shared.peers.health().await.into_iter().collect();
    if health.values().all(|ready| *ready) {
        return Json(health).into_response();
    }
    let retry_after = [(RETRY_AFTER, problem::RETRY_AFTER.as_secs().to_string())];
    (StatusCode::SERVICE_UNAVAILABLE, retry_after, Json(health)).into_response()
}
