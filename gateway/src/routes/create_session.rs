use axum::Json;
use axum::extract::State;
use proto::user::CreateSessionRequest;
use service_kit::error::Reason;
use utoipa::ToSchema;

use crate::caller::ClientAddress;
use crate::extract::{Body, Fields, JsonBody};
use crate::problem::Problem;
use crate::representation::Tokens;
use crate::shared::Shared;

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
    extensions(("x-problems" = json!([Reason::WrongCredentials, Reason::Inactive]))),
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

#[cfg(test)]
mod tests {
    use http::Method;
    use proto::domain::Role;
    use serde_json::json;
    use service_kit::error::Reason;

    use crate::testing::Gateway;

    #[tokio::test]
    async fn wrong_credentials_are_told_from_what_is_no_login_at_all() {
        let gateway = Gateway::asked_by(Role::Patient).await.refusing("CreateSession", Reason::WrongCredentials);
        let answer = gateway.send(Method::POST, "/v1/sessions", &[], &json!({"login": "x", "pin": "1"})).await;
        assert_eq!(answer.problem(), (401, "wrong-credentials"));
        assert_eq!(answer.headers["www-authenticate"], "Bearer");
        let answer = gateway.send(Method::POST, "/v1/sessions", &[], &json!({"login": "x"})).await;
        assert_eq!(answer.problem(), (422, "invalid-body"));
        assert_eq!(answer.body["errors"], json!([{"pointer": "/pin", "code": "required"}]));
    }
}
