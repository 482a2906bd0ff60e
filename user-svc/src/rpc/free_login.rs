use proto::user as pb;
use service_kit::error::Reason;
use telemetry::postgres::Db;

use super::parse;
use crate::error::UserError;
use crate::store;
use crate::store::audit_event::Action;

/// Unlocks the login of a patient at one of the nurse's sites. If the login is not locked, nothing happens.
pub(crate) async fn free_login(db: &Db, request: &pb::FreeLoginRequest) -> Result<pb::FreeLoginResponse, UserError> {
    let (nurse_id, site_id) = parse::site_of_nurse(request.nurse.as_ref(), &request.site_id)?;
    let person_id = parse::id("person_id", &request.person_id)?;
    let mut tx = db.begin().await?;
    let freed = store::credential::free(&mut tx, person_id, site_id).await?;
    if freed.ok_or(UserError::Refused(Reason::PatientNotFound))? {
        store::audit_event::insert(&mut tx, person_id, Action::LoginFreed(nurse_id)).await?;
    }
    tx.commit().await?;
    Ok(pb::FreeLoginResponse {})
}
