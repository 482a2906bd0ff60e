use proto::data as pb;
use telemetry::postgres::Db;

use super::parse;
use crate::error::DataError;
use crate::store;
use crate::store::unnotified_report::Escalation;

/// Most reports that one call can lease.
const LIMIT: u32 = 100;

/// Leases unnotified reports that are due to be escalated.
pub(crate) async fn claim_unnotified_reports(
    db: &Db,
    request: &pb::ClaimUnnotifiedReportsRequest,
) -> Result<pb::ClaimUnnotifiedReportsResponse, DataError> {
    let lease = parse::duration("lease", request.lease)?;
    let claimed = store::unnotified_report::claim(db, request.limit.min(LIMIT).into(), lease).await?;
    Ok(pb::ClaimUnnotifiedReportsResponse { reports: claimed.iter().map(unnotified).collect() })
}

fn unnotified(escalation: &Escalation) -> pb::UnnotifiedReport {
    pb::UnnotifiedReport {
        report_id: escalation.report_id.to_string(),
        site_ids: escalation.site_ids.iter().map(ToString::to_string).collect(),
    }
}
