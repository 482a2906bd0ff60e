use axum::Json;
use axum::extract::State;

use crate::extract::{Nurse, Page, PathId, Undelivered};
use crate::problem::Problem;
use crate::representation::NotificationPage;
use crate::router::Shared;

/// List the undelivered notifications of a site
///
/// Messages to its nurses that were not delivered, or may not have been. Newest first.
#[utoipa::path(
    get,
    path = "/v1/sites/{id}/notifications",
    tag = "reviews",
    security(("bearer" = [])),
    params(
        ("id" = Uuid, Path, description = "One of the nurse's sites.",
         example = "5d3a1c6e-0f0a-4c55-9d0e-7a1b2c3d4e01"),
        Undelivered,
        Page,
    ),
    responses((status = 200, description = "A page of notifications.", body = NotificationPage)),
    extensions(("x-problems" = json!(["wrong-role", "site-not-found"]))),
)]
pub(crate) async fn list_notifications(
    State(shared): State<Shared>,
    Nurse(principal): Nurse,
    PathId(id): PathId,
    Undelivered(state): Undelivered,
    page: Page,
) -> Result<Json<NotificationPage>, Problem> {
    let response = shared.data.list_notifications(principal, id, state.into(), page).await?;
    Ok(Json(NotificationPage::new(response, state)?))
}
