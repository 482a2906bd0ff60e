use proto::data as pb;
use service_kit::error::Reason;
use telemetry::postgres::Db;

use super::parse;
use crate::error::DataError;
use crate::store;

/// A study with its sites and their counts. It contains only sites of the viewer.
pub(crate) async fn get_study(db: &Db, request: &pb::GetStudyRequest) -> Result<pb::GetStudyResponse, DataError> {
    let study_id = parse::id("study_id", &request.study_id)?;
    let viewer = request.viewer.as_ref().ok_or(DataError::Malformed("viewer"))?;
    let site_ids = parse::ids("viewer.site_ids", &viewer.site_ids)?;

    let study = store::study::find(db, study_id, &site_ids).await?.ok_or(DataError::Refused(Reason::StudyNotFound))?;
    let (sites, enrolments, reports, windows) = tokio::try_join!(
        store::site::list(db, study_id, &site_ids),
        store::enrolment::count_by_site(db, study_id, &site_ids),
        store::report::count_by_site(db, study_id, &site_ids),
        store::fill_window::count_by_site(db, study_id, &site_ids),
    )?;
    let sites = sites
        .into_iter()
        .map(|site| {
            let reports = reports.get(&site.site_id).copied().unwrap_or_default();
            let windows = windows.get(&site.site_id).copied().unwrap_or_default();
            pb::SiteSummary {
                enrolments: enrolments.get(&site.site_id).copied().unwrap_or(0),
                reports: reports.reports,
                pending_reviews: reports.pending,
                windows_closed: windows.closed,
                windows_answered: windows.answered,
                site_id: site.site_id.to_string(),
                code: site.code,
                name: site.name,
                time_zone: site.time_zone,
            }
        })
        .collect();
    Ok(pb::GetStudyResponse {
        study_id: study.study_id.to_string(),
        code: study.code,
        title: study.title,
        sites,
        closed_at: study.closed_at.map(parse::timestamp),
    })
}
