use axum::Json;
use axum::extract::State;
use proto::user::CreateSessionRequest;
use serde::Serialize;

use crate::extract::{Fields, JsonObject};
use crate::problem::Problem;
use crate::router::Shared;

#[derive(Serialize)]
pub(crate) struct Session {
    access_token: String,
    token_type: &'static str,
    /// Seconds.
    expires_in: u32,
}

/// `POST /v1/sessions`: an access token for a login and its PIN.
pub(crate) async fn create_session(State(shared): State<Shared>, body: JsonObject) -> Result<Json<Session>, Problem> {
    let mut fields = Fields::of(body.object);
    let request = CreateSessionRequest { login: fields.string("login"), pin: fields.string("pin") };
    fields.finish()?;
    let session = shared.user.create_session(request).await?;
    Ok(Json(Session { access_token: session.access_token, token_type: "Bearer", expires_in: session.expires_in }))
}
