use axum::Json;
use axum::extract::State;
use proto::data as pb;
use serde::Serialize;
use service_kit::error::Reason;
use utoipa::ToSchema;

use crate::caller::Nurse;
use crate::extract::PathId;
use crate::problem::Problem;
use crate::representation::rfc3339;
use crate::shared::Shared;

/// A study with those of its sites where the nurse works.
#[derive(Serialize, ToSchema)]
pub(crate) struct Study {
    #[schema(format = Uuid)]
    study_id: String,
    #[schema(example = "DEMO-1")]
    code: String,
    title: String,
    /// When the study was closed. It has taken no reports since then.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, format = DateTime)]
    closed_at: Option<String>,
    sites: Vec<Site>,
}

#[derive(Serialize, ToSchema)]
struct Site {
    #[schema(format = Uuid)]
    site_id: String,
    #[schema(example = "BER")]
    code: String,
    name: String,
    #[schema(example = "Europe/Berlin")]
    time_zone: String,
    enrolments: u64,
    reports: u64,
    /// Reports that nobody has reviewed yet.
    pending_reviews: u64,
    windows_closed: u64,
    /// Closed windows with a report.
    windows_answered: u64,
    /// `windows_answered / windows_closed`; absent while no window has closed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, minimum = 0, maximum = 1)]
    compliance: Option<f64>,
}

/// Read a study with its counts
#[utoipa::path(
    get,
    path = "/v1/studies/{id}",
    tag = "reviews",
    security(("bearer" = [])),
    params(("id" = Uuid, Path, example = "5d3a1c6e-0f0a-4c55-9d0e-7a1b2c3d4e00")),
    responses((status = 200, description = "The study.", body = Study)),
    extensions(("x-problems" = json!([Reason::Inactive, Reason::WrongRole, Reason::StudyNotFound]))),
)]
pub(crate) async fn get_study(
    State(shared): State<Shared>,
    Nurse(principal): Nurse,
    PathId(id): PathId,
) -> Result<Json<Study>, Problem> {
    let study = shared.data.get_study(principal, id).await?;
    Ok(Json(Study {
        study_id: study.study_id,
        code: study.code,
        title: study.title,
        closed_at: study.closed_at.map(|time| rfc3339(Some(time))).transpose()?,
        sites: study.sites.into_iter().map(Into::into).collect(),
    }))
}

impl From<pb::SiteSummary> for Site {
    fn from(site: pb::SiteSummary) -> Self {
        Self {
            compliance: compliance(site.windows_answered, site.windows_closed),
            site_id: site.site_id,
            code: site.code,
            name: site.name,
            time_zone: site.time_zone,
            enrolments: site.enrolments,
            reports: site.reports,
            pending_reviews: site.pending_reviews,
            windows_closed: site.windows_closed,
            windows_answered: site.windows_answered,
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "no site has 2^52 windows")]
fn compliance(answered: u64, closed: u64) -> Option<f64> {
    (closed > 0).then(|| answered as f64 / closed as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_no_compliance_before_a_window_has_closed() {
        assert_eq!(compliance(0, 0), None);
        assert_eq!(compliance(0, 4), Some(0.0));
        assert_eq!(compliance(3, 4), Some(0.75));
    }
}
