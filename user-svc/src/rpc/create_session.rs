use proto::user as pb;
use telemetry::postgres::Db;
use uuid::Uuid;

use super::tokens::{Moment, tokens};
use crate::error::UserError;
use crate::identity::{AccessTokens, Lockout, Pins, RefreshToken, Seed, Sessions};
use crate::store;
use crate::store::credential::Credential;

/// Opens a session for who knows a login's PIN.
///
/// A failed login takes its time on purpose: unknown, locked, not activated and wrong do not do the same
/// work, and whoever measures the difference learns who takes part in the study.
pub(crate) async fn create_session(
    db: &Db,
    pins: &Pins,
    access_tokens: &AccessTokens,
    sessions: &Sessions,
    request: pb::CreateSessionRequest,
    seed: &Seed,
) -> Result<pb::CreateSessionResponse, UserError> {
    // Counts from here, not from where it is awaited.
    let failed_login = tokio::time::sleep(sessions.failed_login_takes);
    let result = async {
        let verified = verify_pin(db, pins, &sessions.lockout, request).await?;
        open_session(db, access_tokens, sessions, &verified, seed).await
    };
    let result = result.await;
    if matches!(result, Err(UserError::WrongCredentials)) {
        failed_login.await;
    }
    Ok(pb::CreateSessionResponse { tokens: Some(result?) })
}

/// A login whose PIN was right when it was looked up.
struct Verified {
    person_id: Uuid,
    pin_hash: String,
}

async fn verify_pin(
    db: &Db,
    pins: &Pins,
    lockout: &Lockout,
    request: pb::CreateSessionRequest,
) -> Result<Verified, UserError> {
    // Postgres knows no NUL, so nobody has such a login.
    let credential =
        if request.login.contains('\0') { None } else { store::credential::find(db, &request.login).await? };
    let hash = credential.as_ref().and_then(|credential| credential.pin_hash.clone());
    let matches = pins.verify(request.pin, hash).await?;
    match credential {
        Some(Credential { person_id, pin_hash: Some(pin_hash) }) if matches => Ok(Verified { person_id, pin_hash }),
        Some(credential) => {
            store::credential::count_failure(db, credential.person_id, lockout).await?;
            Err(UserError::WrongCredentials)
        }
        None => Err(UserError::WrongCredentials),
    }
}

async fn open_session(
    db: &Db,
    access_tokens: &AccessTokens,
    sessions: &Sessions,
    verified: &Verified,
    seed: &Seed,
) -> Result<pb::Tokens, UserError> {
    let signer = access_tokens.signer(db).await?;
    let mut tx = db.begin().await?;
    // Only now: of guesses at the same time, those after the one that locked the login are refused too.
    let active = store::credential::accept(&mut tx, verified.person_id, &verified.pin_hash).await?;
    if !active.ok_or(UserError::WrongCredentials)? {
        return Err(UserError::Inactive);
    }
    let session = store::session::insert(&mut tx, verified.person_id, sessions.lifetime).await?;
    let refresh_token = RefreshToken::first(session.session_id, seed);
    store::refresh_token::insert(&mut tx, &refresh_token.digest(), session.session_id).await?;
    let session = Moment { session_id: session.session_id, now: session.created_at, ends_at: session.expires_at };
    let tokens = tokens(&signer, sessions, &session, refresh_token)?;
    tx.commit().await?;
    Ok(tokens)
}
