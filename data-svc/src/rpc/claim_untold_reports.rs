use proto::data as pb;
use telemetry::postgres::Db;

use super::parse;
use crate::error::DataError;
use crate::store;
use crate::store::untold_report::Escalation;

/// Most reports that one call can lease.
const LIMIT: u32 = 100;

/// Leases untold reports that are due to be escalated.
pub(crate) async fn claim_untold_reports(
    db: &Db,
    request: &pb::ClaimUntoldReportsRequest,
) -> Result<pb::ClaimUntoldReportsResponse, DataError> {
    let lease = parse::duration("lease", request.lease)?;
    let claimed = store::untold_report::claim(db, request.limit.min(LIMIT).into(), lease).await?;
    Ok(pb::ClaimUntoldReportsResponse { reports: claimed.iter().map(untold).collect() })
}

fn untold(escalation: &Escalation) -> pb::UntoldReport {
    pb::UntoldReport {
        report_id: escalation.report_id.to_string(),
        site_ids: escalation.site_ids.iter().map(ToString::to_string).collect(),
    }
}
