use std::time::Duration;

use service_kit::database::interval;
use sqlx::{PgExecutor, query, query_scalar};
use uuid::Uuid;

/// Uses a code up. Gives whose it is; none when it is unknown, used or expired, or the person is not active.
pub(crate) async fn spend(executor: impl PgExecutor<'_>, code_hash: &[u8; 32]) -> sqlx::Result<Option<Uuid>> {
    query_scalar!(
        "UPDATE identity.activation
         SET used_at = now()
         FROM identity.person
         WHERE code_hash = $1 AND used_at IS NULL AND expires_at > now()
           AND person.person_id = activation.person_id AND active
         RETURNING activation.person_id",
        code_hash,
    )
    .fetch_optional(executor)
    .await
}

/// A code for an active person. False when none has the login.
pub(crate) async fn insert(
    executor: impl PgExecutor<'_>,
    code_hash: &[u8; 32],
    login: &str,
    valid_for: Duration,
) -> sqlx::Result<bool> {
    let inserted = query!(
        "INSERT INTO identity.activation (code_hash, person_id, expires_at)
         SELECT $1, person_id, now() + $3::interval
         FROM identity.credential
         JOIN identity.person USING (person_id)
         WHERE login = $2 AND active",
        code_hash,
        login,
        interval(valid_for),
    )
    .execute(executor)
    .await?;
    Ok(inserted.rows_affected() > 0)
}

/// Uses up all of a login's codes.
pub(crate) async fn spend_all(executor: impl PgExecutor<'_>, login: &str) -> sqlx::Result<()> {
    query!(
        "UPDATE identity.activation
         SET used_at = now()
         FROM identity.credential
         WHERE login = $1 AND activation.person_id = credential.person_id AND used_at IS NULL",
        login,
    )
    .execute(executor)
    .await?;
    Ok(())
}
