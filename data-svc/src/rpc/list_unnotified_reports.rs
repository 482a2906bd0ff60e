use proto::data as pb;
use proto::domain::Cursor;
use service_kit::error::Reason;
use telemetry::postgres::Db;

use super::{page, parse};
use crate::error::DataError;
use crate::store;
use crate::store::unnotified_report::Listed;

/// A page of a study's unnotified reports, for all its nurses, because the report's own site may have none.
pub(crate) async fn list_unnotified_reports(
    db: &Db,
    request: &pb::ListUnnotifiedReportsRequest,
) -> Result<pb::ListUnnotifiedReportsResponse, DataError> {
    let study_id = parse::id("study_id", &request.study_id)?;
    let viewer = request.viewer.as_ref().ok_or(DataError::Malformed("viewer"))?;
    let site_ids = parse::ids("viewer.site_ids", &viewer.site_ids)?;
    let after = parse::cursor(request.after.as_ref())?;
    let limit = parse::limit(request.limit)?;
    store::study::find(db, study_id, &site_ids).await?.ok_or(DataError::Refused(Reason::StudyNotFound))?;
    let mut found = store::unnotified_report::list(db, study_id, after, limit + 1).await?;
    let next = page::cut(&mut found, limit, cursor);
    Ok(pb::ListUnnotifiedReportsResponse { reports: found.iter().map(listed).collect(), next })
}

fn cursor(listed: &Listed) -> Cursor {
    Cursor { time: Some(parse::timestamp(listed.found_at)), id: listed.report_id.to_string() }
}

fn listed(listed: &Listed) -> pb::ListedReport {
    pb::ListedReport {
        report_id: listed.report_id.to_string(),
        site_id: listed.site_id.to_string(),
        urgent: listed.urgent,
        since: Some(parse::timestamp(listed.found_at)),
    }
}
