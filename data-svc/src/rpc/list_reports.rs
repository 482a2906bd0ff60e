use proto::data as pb;
use proto::domain::Cursor;
use service_kit::error::Reason;
use telemetry::postgres::Db;
use uuid::Uuid;

use super::{page, parse, urgent_revision};
use crate::error::DataError;
use crate::store;
use crate::store::report::{Scope, Summary};

/// A page of a patient's own reports, or of those of a nurse's site.
pub(crate) async fn list_reports(
    db: &Db,
    request: &pb::ListReportsRequest,
) -> Result<pb::ListReportsResponse, DataError> {
    let viewer = request.viewer.as_ref().ok_or(DataError::Malformed("viewer"))?;
    let scope = scope(viewer, parse::optional_id("site_id", request.site_id.as_deref())?)?;
    let reviewed = match request.review() {
        pb::ReviewFilter::Unspecified => None,
        pb::ReviewFilter::Pending => Some(false),
        pb::ReviewFilter::Done => Some(true),
    };
    let after = parse::cursor(request.after.as_ref())?;
    let limit = parse::limit(request.limit)?;

    let mut found = store::report::list(db, scope, reviewed, after, limit + 1, &request.languages).await?;
    let next = page::cut(&mut found, limit, cursor);
    Ok(pb::ListReportsResponse { reports: found.into_iter().map(message).collect(), next })
}

fn cursor(report: &Summary) -> Cursor {
    Cursor { time: Some(parse::timestamp(report.received_at)), id: report.report_id.to_string() }
}

fn scope(viewer: &pb::Viewer, site_id: Option<Uuid>) -> Result<Scope, DataError> {
    match site_id {
        None => parse::id("viewer.person_id", &viewer.person_id).map(Scope::Person),
        Some(site_id) if parse::ids("viewer.site_ids", &viewer.site_ids)?.contains(&site_id) => {
            Ok(Scope::Site(site_id))
        }
        Some(_) => Err(DataError::Refused(Reason::SiteNotFound)),
    }
}

fn message(report: Summary) -> pb::ReportSummary {
    pb::ReportSummary {
        report_id: report.report_id.to_string(),
        assignment_id: report.assignment_id.to_string(),
        questionnaire_id: report.questionnaire_id,
        version: report.version,
        revision: report.revision.unsigned_abs(),
        captured_at: Some(report.captured_at.into()),
        received_at: Some(parse::timestamp(report.received_at)),
        disposition: report.disposition.into(),
        review: report.review.map(i32::from),
        urgent: !report.urgent_revisions.is_empty(),
        urgent_revisions: report.urgent_revisions.iter().map(urgent_revision::message).collect(),
        title: report.title,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn viewer(site_ids: &[Uuid]) -> pb::Viewer {
        let site_ids = site_ids.iter().map(Uuid::to_string).collect();
        pb::Viewer { person_id: Uuid::nil().to_string(), site_ids }
    }

    #[test]
    fn a_nurse_sees_the_reports_of_her_sites_only() {
        let (hers, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        assert!(matches!(scope(&viewer(&[hers]), Some(hers)), Ok(Scope::Site(site_id)) if site_id == hers));
        assert!(matches!(scope(&viewer(&[hers]), Some(other)), Err(DataError::Refused(Reason::SiteNotFound))));
    }

    #[test]
    fn a_patient_sees_their_own_reports_and_no_sites() {
        assert!(matches!(scope(&viewer(&[]), None), Ok(Scope::Person(person_id)) if person_id == Uuid::nil()));
        assert!(matches!(scope(&viewer(&[]), Some(Uuid::from_u128(1))), Err(DataError::Refused(Reason::SiteNotFound))));
    }
}
