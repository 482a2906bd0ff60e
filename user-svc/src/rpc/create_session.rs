use std::time::Duration;

use proto::user as pb;
use telemetry::postgres::Db;

use crate::error::UserError;
use crate::identity::{AccessTokens, Pins};
use crate::store;

/// Opens a session for who knows a login's PIN.
pub(crate) async fn create_session(
    db: &Db,
    pins: &Pins,
    tokens: &AccessTokens,
    lifetime: Duration,
    request: pb::CreateSessionRequest,
) -> Result<pb::CreateSessionResponse, UserError> {
    // Postgres knows no NUL, so nobody has such a login.
    let credential =
        if request.login.contains('\0') { None } else { store::credential::find(db, &request.login).await? };
    let (person_id, hash) = credential.map(|credential| (credential.person_id, credential.pin_hash)).unzip();
    if !pins.verify(request.pin, hash).await? {
        return Err(UserError::WrongCredentials);
    }
    let person_id = person_id.ok_or(UserError::WrongCredentials)?;
    let session = store::session::insert(db, person_id, lifetime).await?;
    let access_token = tokens.sign(db, session.session_id, session.created_at, session.expires_at).await?;
    let expires_in = u32::try_from(lifetime.as_secs()).unwrap_or(u32::MAX);
    Ok(pb::CreateSessionResponse { access_token, expires_in })
}
