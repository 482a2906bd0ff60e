use proto::data as pb;
use telemetry::Counter;
use telemetry::postgres::Db;

use super::parse;
use crate::error::DataError;
use crate::{outbox, store};

/// Reports of which the nurses of a whole study are notified, because no nurse of their own site was.
static ESCALATED: Counter = Counter::new("epro.report.escalated", "{report}");

/// Puts notifications of an unnotified report into the outbox, for those of the nurses who had none yet.
pub(crate) async fn escalate_report(
    db: &Db,
    request: &pb::EscalateReportRequest,
) -> Result<pb::EscalateReportResponse, DataError> {
    let report_id = parse::id("report_id", &request.report_id)?;
    let ids = |field, id: fn(&pb::Recipient) -> &str| {
        request.recipients.iter().map(|recipient| parse::id(field, id(recipient))).collect::<Result<Vec<_>, _>>()
    };
    let persons = ids("recipients.person_id", |recipient| &recipient.person_id)?;
    let sites = ids("recipients.site_id", |recipient| &recipient.site_id)?;
    let again_after = parse::duration("again_after", request.again_after)?;
    let told = outbox::escalate(db, report_id, &persons, &sites).await?;
    if told > 0 {
        ESCALATED.add(1, &[]);
    }
    // If `told` is 0, either nobody can be notified, or another copy of the service was faster. Only in the first case
    // the report is still unnotified.
    let unnotified = told == 0 && store::unnotified_report::put_off(db, report_id, again_after).await?;
    Ok(pb::EscalateReportResponse { recipients: told.try_into().unwrap_or(u32::MAX), unnotified })
}
