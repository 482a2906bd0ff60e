use proto::user as pb;
use service_kit::error::Reason;
use telemetry::Counter;
use telemetry::postgres::Db;
use uuid::Uuid;

use super::tokens::{Moment, tokens};
use crate::error::UserError;
use crate::identity::{AccessTokens, Consequence, Lockout, Pins, RefreshToken, Seed, Sessions};
use crate::store;
use crate::store::audit_event::Action;
use crate::store::credential::Credential;

/// Logins that were locked for a time.
static LOCKED: Counter = Counter::new("epro.login.locks", "{login}");

/// Logins that were blocked: no PIN is accepted until they are freed.
static BLOCKED: Counter = Counter::new("epro.login.blocks", "{login}");

/// Opens a session for a login and its PIN.
///
/// A login that fails takes a minimum time on purpose. Unknown, locked, not activated and wrong PIN do different
/// amounts of work, and an attacker who measures the time could find out who takes part in the study.
pub(crate) async fn create_session(
    db: &Db,
    pins: &Pins,
    access_tokens: &AccessTokens,
    sessions: &Sessions,
    request: pb::CreateSessionRequest,
    seed: &Seed,
) -> Result<pb::CreateSessionResponse, UserError> {
    // Created here so that the time counts from the start of the request.
    let failed_login = tokio::time::sleep(sessions.failed_login_takes);
    let result = async {
        let verified = verify_pin(db, pins, sessions.lockout, request).await?;
        let opened = open_session(db, access_tokens, sessions, &verified, seed).await;
        match &opened {
            // The login was locked, or the PIN replaced, since the PIN was checked.
            Err(UserError::Refused(Reason::WrongCredentials)) => {
                note_failure(db, verified.person_id, sessions.lockout).await?;
            }
            Err(UserError::Refused(Reason::Inactive)) => {
                store::audit_event::insert_repeated(db, verified.person_id, Action::LoginFailed).await?;
            }
            _ => {}
        }
        opened
    };
    let result = result.await;
    if matches!(result, Err(UserError::Refused(Reason::WrongCredentials))) {
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
    lockout: Lockout,
    request: pb::CreateSessionRequest,
) -> Result<Verified, UserError> {
    // Postgres text cannot hold a NUL, so no login has one, and the query would fail.
    let credential =
        if request.login.contains('\0') { None } else { store::credential::find(db, &request.login).await? };
    let hash = credential.as_ref().and_then(|credential| credential.pin_hash.clone());
    let matches = pins.verify(request.pin, hash).await?;
    match credential {
        Some(Credential { person_id, pin_hash: Some(pin_hash) }) if matches => Ok(Verified { person_id, pin_hash }),
        Some(credential) => {
            note_failure(db, credential.person_id, lockout).await?;
            Err(UserError::Refused(Reason::WrongCredentials))
        }
        None => Err(UserError::Refused(Reason::WrongCredentials)),
    }
}

/// Records and counts a failed login, and locks or blocks the login when the limit is reached. While a login is locked,
/// attempts are not counted and are recorded only once in a while.
async fn note_failure(db: &Db, person_id: Uuid, lockout: Lockout) -> Result<(), UserError> {
    let mut tx = db.begin().await?;
    let consequence = if let Some(failures) = store::credential::count_failure(&mut tx, person_id).await? {
        store::audit_event::insert(&mut tx, person_id, Action::LoginFailed).await?;
        lockout.after(failures.unsigned_abs())
    } else {
        store::audit_event::insert_repeated(&mut tx, person_id, Action::LoginFailed).await?;
        Consequence::Nothing
    };
    match consequence {
        Consequence::Nothing => {}
        Consequence::Lock(time) => {
            store::credential::lock(&mut tx, person_id, time).await?;
            store::audit_event::insert(&mut tx, person_id, Action::LoginLocked).await?;
        }
        Consequence::Block => {
            store::credential::block(&mut tx, person_id).await?;
            store::audit_event::insert(&mut tx, person_id, Action::LoginBlocked).await?;
        }
    }
    tx.commit().await?;
    // The log names no person. The audit trail does, and has the same trace id.
    match consequence {
        Consequence::Nothing => {}
        Consequence::Lock(time) => {
            telemetry::warn!(seconds = time.as_secs(), "login locked after wrong PINs");
            LOCKED.add(1, &[]);
        }
        Consequence::Block => {
            telemetry::warn!("login blocked after too many wrong PINs, until somebody sets it free");
            BLOCKED.add(1, &[]);
        }
    }
    Ok(())
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
    // Checked again here: when guesses run in parallel and one of them locks the login, the others are refused too.
    let active = store::credential::accept(&mut tx, verified.person_id, &verified.pin_hash).await?;
    if !active.ok_or(UserError::Refused(Reason::WrongCredentials))? {
        return Err(UserError::Refused(Reason::Inactive));
    }
    let session = store::session::insert(&mut tx, verified.person_id, sessions.lifetime).await?;
    store::audit_event::insert(&mut tx, verified.person_id, Action::Login(session.session_id)).await?;
    let refresh_token = RefreshToken::first(session.session_id, seed);
    store::refresh_token::insert(&mut tx, &refresh_token.digest(), session.session_id).await?;
    let session = Moment { session_id: session.session_id, now: session.created_at, ends_at: session.expires_at };
    let tokens = tokens(&signer, sessions, &session, refresh_token)?;
    tx.commit().await?;
    Ok(tokens)
}
