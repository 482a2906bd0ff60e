use axum::Json;
use axum::extract::Path;
use axum::extract::rejection::PathRejection;
use axum::response::{Html, IntoResponse, Response};
use http::HeaderMap;
use http::header::{ACCEPT, VARY};
use minijinja::{Environment, context};
use serde::Serialize;
use utoipa::ToSchema;

use crate::accept::prefers_html;
use crate::problem::{Problem, ProblemType};

/// The template engine escapes values because the name ends in `.html`.
const PAGE: (&str, &str) = ("problem.html", include_str!("../../templates/problem.html"));

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
    responses((
        status = 200,
        description = "Its description; for a browser as a page.",
        content((ProblemDescription = "application/json"), (String = "text/html")),
    )),
    extensions(("x-problems" = json!([ProblemType::NOT_FOUND]))),
)]
pub(crate) async fn get_problem_type(
    name: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let Path(name) = name.map_err(|_| Problem::NOT_FOUND)?;
    let problem_type = ProblemType::named(&name).ok_or(Problem::NOT_FOUND)?;
    let description = ProblemDescription {
        uri_reference: problem_type.uri_reference(),
        title: problem_type.title,
        status: problem_type.status.as_u16(),
        detail: problem_type.detail,
    };
    let answer = if prefers_html(&headers) {
        let ProblemDescription { uri_reference, title, status, detail } = description;
        let said = context! { uri_reference, title, status, detail };
        let page = Environment::new().render_named_str(PAGE.0, PAGE.1, said);
        Html(page.map_err(|_| Problem::INTERNAL)?).into_response()
    } else {
        Json(description).into_response()
    };
    Ok(([(VARY, ACCEPT.as_str())], answer).into_response())
}
