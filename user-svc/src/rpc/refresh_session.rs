use proto::user as pb;
use service_kit::error::Reason;
use telemetry::Counter;
use telemetry::postgres::Db;

use super::tokens::{Moment, tokens};
use crate::error::UserError;
use crate::identity::{AccessTokens, RefreshToken, Seed, Sessions, digest};
use crate::store;
use crate::store::audit_event::Action;

/// Refresh tokens that were used again after their grace time.
static REPLAYS: Counter = Counter::new("epro.session.replays", "{replay}");

/// Exchanges a refresh token for the next one and a new access token.
///
/// A token that is used again within the grace time gets the same successor again: the first answer may have been lost,
/// or two requests of the phone ran at the same time. Later reuse ends the session: somebody else may have a copy of
/// the token, and we cannot tell which of the two is the owner.
pub(crate) async fn refresh_session(
    db: &Db,
    access_tokens: &AccessTokens,
    sessions: &Sessions,
    request: &pb::RefreshSessionRequest,
    seed: &Seed,
) -> Result<pb::RefreshSessionResponse, UserError> {
    let signer = access_tokens.signer(db).await?;
    let token_hash = digest(&request.refresh_token);
    let mut tx = db.begin().await?;
    let grace = sessions.refresh_grace;
    let Some(spent) = store::refresh_token::spend(&mut tx, &token_hash, seed.as_bytes(), grace).await? else {
        if let Some(replayed) = store::session::revoke_of_token(&mut tx, &token_hash).await? {
            let action = Action::SessionReplayed(replayed.session_id);
            if replayed.was_live {
                store::audit_event::insert(&mut tx, replayed.person_id, action).await?;
            } else {
                store::audit_event::insert_repeated(&mut tx, replayed.person_id, action).await?;
            }
            tx.commit().await?;
            // The log names no person. The audit trail does, and has the same trace id.
            telemetry::warn!(was_live = replayed.was_live, "a used refresh token came again: its session is over");
            REPLAYS.add(1, &[]);
        }
        return Err(UserError::Refused(Reason::InvalidRefreshToken));
    };
    if !spent.live {
        return Err(UserError::Refused(Reason::InvalidRefreshToken));
    }
    if !spent.active {
        return Err(UserError::Refused(Reason::Inactive));
    }
    // On a repeated use this gives the same successor as the first time.
    let next = RefreshToken::successor(spent.session_id, &request.refresh_token, &spent.successor_seed.try_into()?)?;
    store::refresh_token::insert(&mut tx, &next.digest(), spent.session_id).await?;
    store::audit_event::insert(&mut tx, spent.person_id, Action::SessionRefreshed(spent.session_id)).await?;
    // Sign before the commit. If signing failed after it, the old token would be spent and the client would have none.
    let session = Moment { session_id: spent.session_id, now: spent.now, ends_at: spent.expires_at };
    let tokens = tokens(&signer, sessions, &session, next)?;
    tx.commit().await?;
    Ok(pb::RefreshSessionResponse { tokens: Some(tokens) })
}
