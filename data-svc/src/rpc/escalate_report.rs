use proto::data as pb;
use telemetry::Counter;
use telemetry::postgres::Db;

use super::parse;
use crate::error::DataError;
use crate::{outbox, store};

/// Reports that the nurses of a whole study are told of, because nobody was told at their own sites.
static ESCALATED: Counter = Counter::new("epro.report.escalated", "{report}");

/// Puts notifications of a report that nobody was told of into the outbox, for those nurses who had none yet.
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
    // Otherwise another copy may have been faster.
    let untold = told == 0 && store::untold_report::put_off(db, report_id, again_after).await?;
    Ok(pb::EscalateReportResponse { recipients: told.try_into().unwrap_or(u32::MAX), untold })
}
