use proto::data as pb;
use telemetry::postgres::Db;

use super::assessment::assessed;
use super::notification::note_untold;
use super::parse;
use crate::error::DataError;
use crate::store;
use crate::store::audit_event::{Action, Event};
use crate::store::report::{Amended, Answers};

/// Stores a new revision of a patient's own report with its alerts, audit event and notifications. All of it
/// or nothing.
pub(crate) async fn save_amendment(
    db: &Db,
    request: pb::SaveAmendmentRequest,
) -> Result<pb::SaveAmendmentResponse, DataError> {
    let supersedes = parse::id("report_id", &request.report_id)?;
    let person_id = parse::id("person_id", &request.person_id)?;
    let recipients = parse::ids("recipients", &request.recipients)?;
    let assessment = request.assessment.ok_or(DataError::Malformed("assessment"))?;
    let assessed = assessed(&assessment, Answers::from(request.answers), &request.raw_body, &request.fingerprint)?;

    let mut tx = db.begin().await?;
    store::audit_chain::hold(&mut tx, supersedes).await?;
    let target = store::report::find_target(&mut tx, supersedes, Some(person_id), &[]).await?;
    let target = target.ok_or(DataError::ReportNotFound)?;
    if target.superseded {
        return Err(DataError::ReportSuperseded);
    }
    if target.study_closed {
        return Err(DataError::StudyClosed);
    }
    let amended = store::report::amend(&mut tx, supersedes, &request.reason, assessed.contents).await;
    let Amended { report_id, revision } = amended.map_err(|error| {
        // Another amendment was faster.
        let lost = [store::report::ONE_SUCCESSOR, store::report::ONE_PER_WINDOW];
        if lost.iter().any(|name| store::breaks(&error, name)) { DataError::ReportSuperseded } else { error.into() }
    })?;
    if !assessed.alerts.is_empty() {
        store::alert::insert(&mut tx, report_id, &assessed.alerts).await?;
    }
    store::notification::enqueue(&mut tx, report_id, target.enrolment_id, &recipients, assessed.urgent).await?;
    let event = Event {
        enrolment_id: target.enrolment_id,
        actor_id: person_id,
        action: Action::Amend,
        object_id: report_id,
        replaces: Some(supersedes),
        reason: Some(&request.reason),
    };
    store::audit_event::insert(&mut tx, event).await?;
    tx.commit().await?;
    note_untold(report_id, &recipients, assessed.urgent);
    Ok(pb::SaveAmendmentResponse { report_id: report_id.to_string(), revision: revision.unsigned_abs() })
}
