use std::time::Duration;

use service_kit::database::interval;
use sqlx::{PgExecutor, query, query_scalar};
use uuid::Uuid;

/// Marks a code as used and returns its person. None when it is unknown, used or expired, or the person is not active.
pub(crate) async fn spend(executor: impl PgExecutor<'_>, code_hash: &[u8; 32]) -> sqlx::Result<Option<Uuid>> {
    // Locks the credential before the code, in the same order as issuing a code does, so that the two cannot deadlock.
    query_scalar!(
        "WITH holder AS MATERIALIZED (
             SELECT credential.person_id
             FROM identity.credential
             JOIN identity.person USING (person_id)
             JOIN identity.activation USING (person_id)
             WHERE code_hash = $1 AND active
             FOR UPDATE OF credential
         )
         UPDATE identity.activation
         SET used_at = now()
         FROM holder
         WHERE code_hash = $1 AND used_at IS NULL AND expires_at > now() AND activation.person_id = holder.person_id
         RETURNING activation.person_id",
        code_hash,
    )
    .fetch_optional(executor)
    .await
}

pub(crate) async fn insert(
    executor: impl PgExecutor<'_>,
    code_hash: &[u8; 32],
    person_id: Uuid,
    valid_for: Duration,
) -> sqlx::Result<()> {
    query!(
        "INSERT INTO identity.activation (code_hash, person_id, expires_at) VALUES ($1, $2, now() + $3::interval)",
        code_hash,
        person_id,
        interval(valid_for),
    )
    .execute(executor)
    .await?;
    Ok(())
}

/// Marks all of a person's codes as used.
pub(crate) async fn spend_all(executor: impl PgExecutor<'_>, person_id: Uuid) -> sqlx::Result<()> {
    query!("UPDATE identity.activation SET used_at = now() WHERE person_id = $1 AND used_at IS NULL", person_id)
        .execute(executor)
        .await?;
    Ok(())
}

/// Deletes codes that were used or expired more than `ago` ago. Returns how many.
pub(crate) async fn delete_over(executor: impl PgExecutor<'_>, ago: Duration, most: i32) -> sqlx::Result<u64> {
    let deleted = query_scalar!(
        r#"SELECT identity.delete_activations(now() - $1::interval, $2) AS "deleted!""#,
        interval(ago),
        most,
    );
    Ok(deleted.fetch_one(executor).await?.unsigned_abs())
}
