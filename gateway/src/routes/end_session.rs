use axum::extract::State;
use http::StatusCode;

use crate::caller::AccessToken;
use crate::problem::Problem;
use crate::shared::Shared;

/// Log out
///
/// Every token of the session is invalid from now on.
#[utoipa::path(
    delete,
    path = "/v1/sessions/current",
    tag = "sessions",
    security(("bearer" = [])),
    responses((status = 204, description = "The session has ended.")),
)]
pub(crate) async fn end_session(
    State(shared): State<Shared>,
    AccessToken(token): AccessToken,
) -> Result<StatusCode, Problem> {
    shared.user.end_session(token.clone()).await?;
    shared.rates.refused(&token);
    Ok(StatusCode::NO_CONTENT)
}
