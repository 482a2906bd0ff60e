use proto::data as pb;
use telemetry::postgres::Db;

use super::parse;
use crate::error::DataError;
use crate::store;

/// The viewer's sites.
pub(crate) async fn list_sites(db: &Db, request: &pb::ListSitesRequest) -> Result<pb::ListSitesResponse, DataError> {
    let viewer = request.viewer.as_ref().ok_or(DataError::Malformed("viewer"))?;
    let site_ids = parse::ids("viewer.site_ids", &viewer.site_ids)?;
    let sites = store::site::list_with_study(db, &site_ids).await?.into_iter().map(|found| pb::Site {
        site_id: found.site_id.to_string(),
        code: found.code,
        name: found.name,
        time_zone: found.time_zone,
        study_id: found.study_id.to_string(),
        study_code: found.study_code,
        study_title: found.study_title,
    });
    Ok(pb::ListSitesResponse { sites: sites.collect() })
}
