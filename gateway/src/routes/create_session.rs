use axum::Json;
use axum::extract::State;
use proto::user::CreateSessionRequest;
use utoipa::ToSchema;

use crate::extract::{Body, ClientAddress, Fields, JsonBody};
use crate::problem::Problem;
use crate::representation::Tokens;
use crate::router::Shared;

/// A login and its PIN.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({"login": "patient-1", "pin": "246801"})))]
pub(crate) struct Credentials {
    login: String,
    #[schema(format = Password)]
    pin: String,
}

impl Body for Credentials {
    fn read(fields: &mut Fields) -> Option<Self> {
        Some(Self { login: fields.string("login"), pin: fields.string("pin") })
    }
}

/// Log in
///
/// An unknown login, a wrong PIN and a locked login get the same answer after the same time.
#[utoipa::path(
    post,
    path = "/v1/sessions",
    tag = "sessions",
    request_body = Credentials,
    responses((status = 200, description = "The session has begun.", body = Tokens)),
    extensions(("x-problems" = json!(["wrong-credentials", "inactive"]))),
)]
pub(crate) async fn create_session(
    State(shared): State<Shared>,
    ClientAddress(address): ClientAddress,
    JsonBody { value: credentials, .. }: JsonBody<Credentials>,
) -> Result<Json<Tokens>, Problem> {
    shared.rates.login(address, &credentials.login)?;
    let request = CreateSessionRequest { login: credentials.login, pin: credentials.pin };
    let tokens = shared.user.create_session(request).await?;
    shared.rates.logged_in(address);
    Ok(Json(tokens.try_into()?))
}
