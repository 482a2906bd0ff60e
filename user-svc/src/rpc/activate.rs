use proto::user as pb;
use service_kit::error::Reason;
use telemetry::postgres::Db;

use crate::error::UserError;
use crate::identity::{ActivationCode, NewPin, Pins};
use crate::store;
use crate::store::audit_event::Action;

/// Sets the PIN of the code's owner and ends all sessions of that person.
pub(crate) async fn activate(
    db: &Db,
    pins: &Pins,
    request: pb::ActivateRequest,
) -> Result<pb::ActivateResponse, UserError> {
    let pin = NewPin::parse(request.pin)?;
    // Hash before the transaction: hashing takes long and may wait for a permit.
    let pin_hash = pins.hash(pin).await?;
    let mut tx = db.begin().await?;
    let code = ActivationCode::typed(&request.activation_code);
    let person_id = store::activation::spend(&mut tx, &code.digest()).await?;
    let person_id = person_id.ok_or(UserError::Refused(Reason::InvalidActivationCode))?;
    let login = store::credential::set_pin(&mut tx, person_id, &pin_hash).await?;
    let login = login.ok_or(UserError::Corrupt("activation"))?;
    let ended = store::session::revoke_of_person(&mut tx, person_id).await?;
    store::audit_event::insert_ends(&mut tx, person_id, &ended).await?;
    store::audit_event::insert(&mut tx, person_id, Action::PinSet).await?;
    tx.commit().await?;
    Ok(pb::ActivateResponse { login })
}
