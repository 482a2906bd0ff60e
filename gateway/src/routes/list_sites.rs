use axum::Json;
use axum::extract::State;
use proto::data as pb;
use serde::Serialize;
use service_kit::error::Reason;
use utoipa::ToSchema;

use crate::caller::Nurse;
use crate::problem::Problem;
use crate::shared::Shared;

#[derive(Serialize, ToSchema)]
pub(crate) struct Sites {
    sites: Vec<OwnSite>,
}

/// A site where the nurse works.
#[derive(Serialize, ToSchema)]
pub(crate) struct OwnSite {
    #[schema(format = Uuid)]
    site_id: String,
    #[schema(example = "BER")]
    code: String,
    #[schema(example = "Berlin")]
    name: String,
    #[schema(example = "Europe/Berlin")]
    time_zone: String,
    study: StudyReference,
}

/// The study that a site belongs to.
#[derive(Serialize, ToSchema)]
struct StudyReference {
    #[schema(format = Uuid)]
    study_id: String,
    #[schema(example = "DEMO-1")]
    code: String,
    title: String,
}

/// List the sites where you work
#[utoipa::path(
    get,
    path = "/v1/me/sites",
    tag = "reviews",
    security(("bearer" = [])),
    responses((status = 200, description = "The nurse's sites, by study and code.", body = Sites)),
    extensions(("x-problems" = json!([Reason::Inactive, Reason::WrongRole]))),
)]
pub(crate) async fn list_sites(State(shared): State<Shared>, Nurse(principal): Nurse) -> Result<Json<Sites>, Problem> {
    let sites = shared.data.list_sites(principal).await?;
    Ok(Json(Sites { sites: sites.into_iter().map(Into::into).collect() }))
}

impl From<pb::Site> for OwnSite {
    fn from(site: pb::Site) -> Self {
        Self {
            site_id: site.site_id,
            code: site.code,
            name: site.name,
            time_zone: site.time_zone,
            study: StudyReference { study_id: site.study_id, code: site.study_code, title: site.study_title },
        }
    }
}
