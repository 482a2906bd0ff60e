use proto::user as pb;
use service_kit::error::Reason;
use telemetry::postgres::Db;

use crate::error::UserError;
use crate::identity::AccessTokens;
use crate::store;
use crate::store::audit_event::Action;

/// Ends the session that an access token names.
pub(crate) async fn end_session(
    db: &Db,
    tokens: &AccessTokens,
    request: &pb::EndSessionRequest,
) -> Result<pb::EndSessionResponse, UserError> {
    let session_id = tokens.verify(db, &request.access_token).await?;
    let mut tx = db.begin().await?;
    let person_id =
        store::session::revoke(&mut tx, session_id).await?.ok_or(UserError::Refused(Reason::InvalidToken))?;
    store::audit_event::insert(&mut tx, person_id, Action::SessionEnded(session_id)).await?;
    tx.commit().await?;
    Ok(pb::EndSessionResponse {})
}
