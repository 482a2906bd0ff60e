use proto::user as pb;
use telemetry::postgres::Db;

use crate::error::UserError;
use crate::identity::AccessTokens;
use crate::store;

/// Ends the session that an access token names.
pub(crate) async fn end_session(
    db: &Db,
    tokens: &AccessTokens,
    request: &pb::EndSessionRequest,
) -> Result<pb::EndSessionResponse, UserError> {
    let session_id = tokens.verify(db, &request.access_token).await?;
    if store::session::revoke(db, session_id).await? {
        Ok(pb::EndSessionResponse {})
    } else {
        Err(UserError::InvalidToken)
    }
}
