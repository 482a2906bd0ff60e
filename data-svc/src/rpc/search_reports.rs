use proto::data as pb;
use proto::domain::Cursor;
use telemetry::postgres::Db;

use super::{page, parse};
use crate::error::DataError;
use crate::store;
use crate::store::report::{Found, Wanted};

/// A page of a patient's own reports with their answers, or of those of a nurse's sites.
pub(crate) async fn search_reports(
    db: &Db,
    request: pb::SearchReportsRequest,
) -> Result<pb::SearchReportsResponse, DataError> {
    let viewer = request.viewer.ok_or(DataError::Malformed("viewer"))?;
    let person_id = parse::id("viewer.person_id", &viewer.person_id)?;
    let site_ids = parse::ids("viewer.site_ids", &viewer.site_ids)?;
    let time = |field, time: Option<_>| time.map(|time| parse::time(field, time)).transpose();
    let wanted = Wanted {
        person_id: site_ids.is_empty().then_some(person_id),
        site_ids: &site_ids,
        url: request.url.as_deref(),
        version: request.version.as_deref(),
        captured_from: time("captured_from", request.captured_from)?,
        captured_before: time("captured_before", request.captured_before)?,
    };
    let after = parse::cursor(request.after.as_ref())?;
    let limit = parse::limit(request.limit)?;

    let mut found = store::report::search(db, &wanted, after, limit + 1).await?;
    let next = page::cut(&mut found, limit, cursor);
    Ok(pb::SearchReportsResponse { reports: found.into_iter().map(message).collect(), next })
}

fn cursor(report: &Found) -> Cursor {
    Cursor { time: Some(parse::timestamp(report.received_at)), id: report.report_id.to_string() }
}

fn message(report: Found) -> pb::FoundReport {
    pb::FoundReport {
        report_id: report.report_id.to_string(),
        assignment_id: report.assignment_id.to_string(),
        person_id: report.person_id.to_string(),
        questionnaire_id: report.questionnaire_id,
        version: report.version,
        url: report.url,
        revision: report.revision.unsigned_abs(),
        captured_at: Some(report.captured_at.into()),
        received_at: Some(parse::timestamp(report.received_at)),
        answers: report.answers.into(),
        score: report.score.map(|total| pb::Score { total, band: report.score_band }),
    }
}
