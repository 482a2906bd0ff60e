use axum::Json;
use axum::extract::Path;
use axum::extract::rejection::PathRejection;
use serde::Serialize;
use utoipa::ToSchema;

use crate::problem::{Problem, ProblemType};

/// What a problem's `type` means.
#[derive(Serialize, ToSchema)]
pub(crate) struct ProblemDescription {
    #[serde(rename = "type")]
    #[schema(format = "uri-reference")]
    uri_reference: String,
    title: &'static str,
    /// HTTP status of the answers that carry it.
    status: u16,
    detail: &'static str,
}

/// Read what a problem type means
#[utoipa::path(
    get,
    path = "/problems/{name}",
    tag = "public",
    params(("name" = String, Path, description = "Last part of the type.", example = "report-invalid")),
    responses((status = 200, description = "Its description.", body = ProblemDescription)),
    extensions(("x-problems" = json!(["not-found"]))),
)]
pub(crate) async fn get_problem_type(
    name: Result<Path<String>, PathRejection>,
) -> Result<Json<ProblemDescription>, Problem> {
    let Path(name) = name.map_err(|_| Problem::NOT_FOUND)?;
    let problem_type = ProblemType::named(&name).ok_or(Problem::NOT_FOUND)?;
    Ok(Json(ProblemDescription {
        uri_reference: problem_type.uri_reference(),
        title: problem_type.title,
        status: problem_type.status.as_u16(),
        detail: problem_type.detail,
    }))
}
