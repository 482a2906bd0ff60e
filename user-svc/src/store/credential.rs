use std::time::Duration;

use service_kit::database::interval;
use sqlx::{PgExecutor, query, query_as, query_scalar};
use uuid::Uuid;

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

/// Locks an active person's credential: until the transaction ends, no other transaction issues them a code or sets
/// their PIN. None when no active person has the login.
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

/// Counts a wrong PIN and returns how many there were since the last right one. None when the login is locked, because
/// such an attempt is not checked and does not count. Concurrent attempts wait until the transaction ends.
pub(crate) async fn count_failure(executor: impl PgExecutor<'_>, person_id: Uuid) -> sqlx::Result<Option<i32>> {
    query_scalar!(
        "UPDATE identity.credential
         SET failures = failures + 1
         WHERE person_id = $1 AND blocked_at IS NULL AND (locked_until IS NULL OR locked_until <= now())
         RETURNING failures",
        person_id,
    )
    .fetch_optional(executor)
    .await
}

/// Locks a login for a time.
pub(crate) async fn lock(executor: impl PgExecutor<'_>, person_id: Uuid, time: Duration) -> sqlx::Result<()> {
    query!(
        "UPDATE identity.credential SET locked_until = now() + $2::interval WHERE person_id = $1",
        person_id,
        interval(time),
    )
    .execute(executor)
    .await?;
    Ok(())
}

/// Locks a login until it is freed.
pub(crate) async fn block(executor: impl PgExecutor<'_>, person_id: Uuid) -> sqlx::Result<()> {
    query!("UPDATE identity.credential SET blocked_at = now() WHERE person_id = $1", person_id)
        .execute(executor)
        .await?;
    Ok(())
}

/// Frees the login of a patient of the site: removes locks and resets the number of failures. None when the site has no
/// such patient, else whether there was anything to reset.
pub(crate) async fn free(executor: impl PgExecutor<'_>, person_id: Uuid, site_id: Uuid) -> sqlx::Result<Option<bool>> {
    query_scalar!(
        r#"WITH before AS MATERIALIZED (
               SELECT person_id, failures > 0 OR locked_until IS NOT NULL OR blocked_at IS NOT NULL AS had_any
               FROM identity.credential
               JOIN identity.person USING (person_id)
               JOIN identity.site_membership USING (person_id)
               WHERE person_id = $1 AND site_id = $2 AND role = 'patient'
               FOR UPDATE OF credential
           )
           UPDATE identity.credential
           SET failures = 0, locked_until = NULL, blocked_at = NULL
           FROM before
           WHERE credential.person_id = before.person_id
           RETURNING had_any AS "had_any!""#,
        person_id,
        site_id,
    )
    .fetch_optional(executor)
    .await
}

/// Resets the failures after a right PIN, whose hash is `pin_hash`. Returns whether the person is active, or none when
/// the login is locked or the PIN was replaced meanwhile. The PIN cannot be replaced until the transaction ends.
pub(crate) async fn accept(
    executor: impl PgExecutor<'_>,
    person_id: Uuid,
    pin_hash: &str,
) -> sqlx::Result<Option<bool>> {
    query_scalar!(
        "UPDATE identity.credential
         SET failures = 0, locked_until = NULL
         FROM identity.person
         WHERE credential.person_id = $1 AND pin_hash = $2 AND blocked_at IS NULL
           AND (locked_until IS NULL OR locked_until <= now())
           AND person.person_id = credential.person_id
         RETURNING active",
        person_id,
        pin_hash,
    )
    .fetch_optional(executor)
    .await
}

/// Replaces the PIN and removes all locks. Returns the login.
pub(crate) async fn set_pin(
    executor: impl PgExecutor<'_>,
    person_id: Uuid,
    pin_hash: &str,
) -> sqlx::Result<Option<String>> {
    query_scalar!(
        "UPDATE identity.credential
         SET pin_hash = $2, failures = 0, locked_until = NULL, blocked_at = NULL
         WHERE person_id = $1
         RETURNING login",
        person_id,
        pin_hash,
    )
    .fetch_optional(executor)
    .await
}
