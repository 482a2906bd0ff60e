use axum::extract::State;
use http::StatusCode;

use crate::extract::{Nurse, PathIds};
use crate::problem::Problem;
use crate::router::Shared;

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
    extensions(("x-problems" = json!(["wrong-role", "site-not-found", "patient-not-found"]))),
)]
pub(crate) async fn free_login(
    State(shared): State<Shared>,
    Nurse(principal): Nurse,
    PathIds(site_id, person_id): PathIds,
) -> Result<StatusCode, Problem> {
    shared.user.free_login(principal, site_id, person_id).await?;
    Ok(StatusCode::NO_CONTENT)
}
