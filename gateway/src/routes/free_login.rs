use axum::extract::State;
use http::StatusCode;
use service_kit::error::Reason;

use crate::caller::Nurse;
use crate::extract::PathIds;
use crate::problem::Problem;
use crate::shared::Shared;

/// Unlock a patient's login
///
/// Resets the count of wrong PINs. A patient who has forgotten the PIN needs an activation code, and so does a nurse
/// whose login is locked.
#[utoipa::path(
    delete,
    path = "/v1/sites/{id}/patients/{person_id}/lockout",
    tag = "sessions",
    security(("bearer" = [])),
    params(
        ("id" = Uuid, Path, description = "One of the nurse's sites.",
         example = "5d3a1c6e-0f0a-4c55-9d0e-7a1b2c3d4e01"),
        ("person_id" = Uuid, Path, description = "A patient of the site."),
    ),
    responses((status = 204, description = "The login is not locked any more, or was not.")),
    extensions(("x-problems" = json!([
        Reason::Inactive, Reason::WrongRole, Reason::SiteNotFound, Reason::PatientNotFound,
    ]))),
)]
pub(crate) async fn free_login(
    State(shared): State<Shared>,
    Nurse(principal): Nurse,
    PathIds(site_id, person_id): PathIds,
) -> Result<StatusCode, Problem> {
    shared.user.free_login(principal, site_id, person_id).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[cfg(test)]
mod tests {
    use http::Method;
    use proto::domain::Role;
    use proto::user::FreeLoginResponse;
    use serde_json::Value;
    use service_kit::error::Reason;

    use crate::testing::{Answer, Gateway, ID, SITE};

    async fn free(gateway: &Gateway) -> Answer {
        let path = format!("/v1/sites/{SITE}/patients/{ID}/lockout");
        gateway.send(Method::DELETE, &path, &[], &Value::Null).await
    }

    #[tokio::test]
    async fn a_nurse_frees_the_login_of_a_patient_of_her_site() {
        let gateway = Gateway::asked_by(Role::Nurse).await.answering("FreeLogin", &FreeLoginResponse {});
        assert_eq!(free(&gateway).await.status, 204);
        let gateway = gateway.refusing("FreeLogin", Reason::PatientNotFound);
        assert_eq!(free(&gateway).await.problem(), (404, "patient-not-found"));
        assert_eq!(free(&Gateway::asked_by(Role::Patient).await).await.problem(), (403, "wrong-role"));
    }
}
