use axum::Json;
use axum::extract::State;
use proto::domain::Role;
use service_kit::error::Reason;

use crate::caller::Patient;
use crate::extract::{Languages, Page};
use crate::problem::Problem;
use crate::representation::ReportPage;
use crate::shared::Shared;

/// List your reports
///
/// Newest first, each in its newest revision.
#[utoipa::path(
    get,
    path = "/v1/reports",
    tag = "reports",
    security(("bearer" = [])),
    params(Page),
    responses((status = 200, description = "A page of reports.", body = ReportPage)),
    extensions(("x-problems" = json!([Reason::Inactive, Reason::WrongRole]))),
)]
pub(crate) async fn list_reports(
    State(shared): State<Shared>,
    Patient(principal): Patient,
    page: Page,
    languages: Languages,
) -> Result<Json<ReportPage>, Problem> {
    let response = shared.data.list_own_reports(principal, page, languages).await?;
    Ok(Json(ReportPage::new(response, Role::Patient)?))
}
