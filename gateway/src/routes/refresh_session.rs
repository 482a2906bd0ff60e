use axum::Json;
use axum::extract::State;
use service_kit::error::Reason;
use utoipa::ToSchema;

use crate::caller::ClientAddress;
use crate::extract::{Body, Fields, JsonBody};
use crate::problem::Problem;
use crate::representation::Tokens;
use crate::shared::Shared;

/// The refresh token of a session.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Continuation {
    /// The newest refresh token of the session.
    #[schema(format = Password)]
    refresh_token: String,
}

impl Body for Continuation {
    fn read(fields: &mut Fields) -> Option<Self> {
        Some(Self { refresh_token: fields.string("refresh_token") })
    }
}

/// Exchange a refresh token for new tokens
///
/// A refresh token is valid once. If it is sent again within a short grace period, because the answer was lost, it gets
/// the same successor again. If it is sent again later, its session ends.
#[utoipa::path(
    post,
    path = "/v1/sessions/refresh",
    tag = "sessions",
    request_body = Continuation,
    responses((status = 200, description = "The session goes on.", body = Tokens)),
    extensions(("x-problems" = json!([Reason::InvalidRefreshToken, Reason::Inactive]))),
)]
pub(crate) async fn refresh_session(
    State(shared): State<Shared>,
    ClientAddress(address): ClientAddress,
    JsonBody { value: continuation, .. }: JsonBody<Continuation>,
) -> Result<Json<Tokens>, Problem> {
    shared.rates.refresh_token(address, &continuation.refresh_token)?;
    Ok(Json(shared.user.refresh_session(continuation.refresh_token).await?.try_into()?))
}
