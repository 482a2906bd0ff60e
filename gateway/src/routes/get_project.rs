use axum::Json;
use axum::extract::State;
use serde::Serialize;

use crate::extract::{Nurse, PathId};
use crate::problem::Problem;
use crate::router::Shared;

#[derive(Serialize)]
pub(crate) struct Project {
    project_id: String,
    code: String,
    title: String,
    sites: Vec<Site>,
}

#[derive(Serialize)]
struct Site {
    site_id: String,
    code: String,
    name: String,
    time_zone: String,
    enrolments: u64,
    reports: u64,
}

/// `GET /v1/projects/{id}`: a study with the nurse's sites and their counts.
pub(crate) async fn get_project(
    State(shared): State<Shared>,
    Nurse(principal): Nurse,
    PathId(id): PathId,
) -> Result<Json<Project>, Problem> {
    let project = shared.data.get_project(principal, id).await?;
    let sites = project
        .sites
        .into_iter()
        .map(|site| Site {
            site_id: site.site_id,
            code: site.code,
            name: site.name,
            time_zone: site.time_zone,
            enrolments: site.enrolments,
            reports: site.reports,
        })
        .collect();
    Ok(Json(Project { project_id: project.project_id, code: project.code, title: project.title, sites }))
}
