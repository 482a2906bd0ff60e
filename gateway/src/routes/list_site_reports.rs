use axum::Json;
use axum::extract::State;
use proto::domain::Role;
use service_kit::error::Reason;

use crate::caller::Nurse;
use crate::extract::{Languages, Page, PathId, Review};
use crate::problem::Problem;
use crate::representation::ReportPage;
use crate::shared::Shared;

/// List the reports of a site
///
/// Newest first, each in its newest revision.
#[utoipa::path(
    get,
    path = "/v1/sites/{id}/reports",
    tag = "reviews",
    security(("bearer" = [])),
    params(
        ("id" = Uuid, Path, description = "One of the nurse's sites.",
         example = "5d3a1c6e-0f0a-4c55-9d0e-7a1b2c3d4e01"),
        Review,
        Page,
    ),
    responses((status = 200, description = "A page of reports.", body = ReportPage)),
    extensions(("x-problems" = json!([Reason::Inactive, Reason::WrongRole, Reason::SiteNotFound]))),
)]
pub(crate) async fn list_site_reports(
    State(shared): State<Shared>,
    Nurse(principal): Nurse,
    PathId(id): PathId,
    review: Review,
    page: Page,
    languages: Languages,
) -> Result<Json<ReportPage>, Problem> {
    let response = shared.data.list_site_reports(principal, id, review.into(), page, languages).await?;
    Ok(Json(ReportPage::new(response, Role::Nurse)?))
}
