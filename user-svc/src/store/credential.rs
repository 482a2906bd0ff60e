use service_kit::database::interval;
use sqlx::{PgExecutor, query, query_as, query_scalar};
use uuid::Uuid;

use crate::identity::Lockout;

pub(crate) struct Credential {
    pub(crate) person_id: Uuid,
    /// None until the person has chosen a PIN.
    pub(crate) pin_hash: Option<String>,
}

pub(crate) async fn find(executor: impl PgExecutor<'_>, login: &str) -> sqlx::Result<Option<Credential>> {
    query_as!(Credential, "SELECT person_id, pin_hash FROM identity.credential WHERE login = $1", login)
        .fetch_optional(executor)
        .await
}

/// Takes an active person's credential: until the transaction ends, nobody else gives them a code or a PIN.
/// None when no active person has the login.
pub(crate) async fn hold(executor: impl PgExecutor<'_>, login: &str) -> sqlx::Result<Option<Uuid>> {
    query_scalar!(
        "SELECT person_id
         FROM identity.credential
         JOIN identity.person USING (person_id)
         WHERE login = $1 AND active
         FOR UPDATE OF credential",
        login,
    )
    .fetch_optional(executor)
    .await
}

/// Counts a wrong PIN and locks the login when it is one too many: in one statement, so that guesses at
/// the same time count each. A lock that is there is not made longer.
pub(crate) async fn count_failure(
    executor: impl PgExecutor<'_>,
    person_id: Uuid,
    lockout: &Lockout,
) -> sqlx::Result<()> {
    query!(
        "UPDATE identity.credential
         SET failures = CASE WHEN failures + 1 < $2 THEN failures + 1 ELSE 0 END,
             locked_until = CASE WHEN failures + 1 < $2 THEN NULL ELSE now() + $3::interval END
         WHERE person_id = $1 AND (locked_until IS NULL OR locked_until <= now())",
        person_id,
        i32::from(lockout.failures.get()),
        interval(lockout.lasts),
    )
    .execute(executor)
    .await?;
    Ok(())
}

/// Forgets the wrong PINs before the right one, whose hash this is. Gives whether the person is active;
/// none when the login is locked, or the PIN has been replaced meanwhile. Until the transaction ends it
/// cannot be.
pub(crate) async fn accept(
    executor: impl PgExecutor<'_>,
    person_id: Uuid,
    pin_hash: &str,
) -> sqlx::Result<Option<bool>> {
    query_scalar!(
        "UPDATE identity.credential
         SET failures = 0, locked_until = NULL
         FROM identity.person
         WHERE credential.person_id = $1 AND pin_hash = $2 AND (locked_until IS NULL OR locked_until <= now())
           AND person.person_id = credential.person_id
         RETURNING active",
        person_id,
        pin_hash,
    )
    .fetch_optional(executor)
    .await
}

/// Replaces the PIN and opens the lock. Gives the login.
pub(crate) async fn set_pin(
    executor: impl PgExecutor<'_>,
    person_id: Uuid,
    pin_hash: &str,
) -> sqlx::Result<Option<String>> {
    query_scalar!(
        "UPDATE identity.credential
         SET pin_hash = $2, failures = 0, locked_until = NULL
         WHERE person_id = $1
         RETURNING login",
        person_id,
        pin_hash,
    )
    .fetch_optional(executor)
    .await
}
