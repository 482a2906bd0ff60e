use axum::Json;
use axum::extract::State;
use proto::data as pb;
use serde::Serialize;
use service_kit::error::Reason;
use utoipa::ToSchema;

use crate::caller::Nurse;
use crate::extract::{Cursor, Page, PathId};
use crate::problem::Problem;
use crate::representation::rfc3339;
use crate::shared::Shared;

/// Some reports of a list, newest first.
#[derive(Serialize, ToSchema)]
pub(crate) struct UnnotifiedReportPage {
    reports: Vec<UnnotifiedReport>,
    /// The `cursor` of the next page; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, value_type = Option<String>)]
    next_cursor: Option<Cursor>,
}

/// A report that nobody was notified of. Only the nurses of its site can open it.
#[derive(Serialize, ToSchema)]
struct UnnotifiedReport {
    #[schema(format = Uuid)]
    report_id: String,
    #[schema(format = Uuid)]
    site_id: String,
    /// Whether the report has an urgent alert.
    urgent: bool,
    /// When it was found that nobody was notified.
    #[schema(format = DateTime)]
    since: String,
}

/// List the reports of a study that nobody was notified of
///
/// No message about these reports was delivered or is on its way, and nobody has reviewed them: the site has no nurses,
/// or none who could be reached. Newest first. Nurses of all sites of the study may read this list.
#[utoipa::path(
    get,
    path = "/v1/studies/{id}/unnotified-reports",
    tag = "reviews",
    security(("bearer" = [])),
    params(
        ("id" = Uuid, Path, description = "A study with one of the nurse's sites.",
         example = "5d3a1c6e-0f0a-4c55-9d0e-7a1b2c3d4e00"),
        Page,
    ),
    responses((status = 200, description = "A page of reports.", body = UnnotifiedReportPage)),
    extensions(("x-problems" = json!([Reason::Inactive, Reason::WrongRole, Reason::StudyNotFound]))),
)]
pub(crate) async fn list_unnotified_reports(
    State(shared): State<Shared>,
    Nurse(principal): Nurse,
    PathId(id): PathId,
    page: Page,
) -> Result<Json<UnnotifiedReportPage>, Problem> {
    let response = shared.data.list_unnotified_reports(principal, id, page).await?;
    let reports = response.reports.into_iter().map(report).collect::<Result<_, _>>()?;
    Ok(Json(UnnotifiedReportPage { reports, next_cursor: response.next.map(Cursor) }))
}

fn report(listed: pb::ListedReport) -> Result<UnnotifiedReport, Problem> {
    Ok(UnnotifiedReport {
        report_id: listed.report_id,
        site_id: listed.site_id,
        urgent: listed.urgent,
        since: rfc3339(listed.since)?,
    })
}
