use std::time::Duration;

use chrono::{DateTime, Utc};
use service_kit::database::interval;
use sqlx::{PgExecutor, query, query_as, query_scalar};
use uuid::Uuid;

/// A refresh token in use, with its session.
pub(crate) struct Spent {
    pub(crate) session_id: Uuid,
    pub(crate) person_id: Uuid,
    /// Whether the session is neither revoked nor expired.
    pub(crate) live: bool,
    /// Whether the session's person is active.
    pub(crate) active: bool,
    /// The successor is derived from this seed. A repeated use gets the seed of the first one.
    pub(crate) successor_seed: Vec<u8>,
    pub(crate) now: DateTime<Utc>,
    /// The end of the session.
    pub(crate) expires_at: DateTime<Utc>,
}

/// Stores a token. An existing one is kept, because a successor may be issued twice.
pub(crate) async fn insert(executor: impl PgExecutor<'_>, token_hash: &[u8; 32], session_id: Uuid) -> sqlx::Result<()> {
    query!(
        "INSERT INTO identity.refresh_token (token_hash, session_id) VALUES ($1, $2) ON CONFLICT DO NOTHING",
        token_hash,
        session_id,
    )
    .execute(executor)
    .await?;
    Ok(())
}

/// Marks a token as used, or accepts a repeated use within the grace time. None when it is unknown or was used earlier.
/// Of two concurrent calls the second waits for the first one's transaction and gets its seed.
pub(crate) async fn spend(
    executor: impl PgExecutor<'_>,
    token_hash: &[u8; 32],
    seed: &[u8; 32],
    grace: Duration,
) -> sqlx::Result<Option<Spent>> {
    query_as!(
        Spent,
        r#"UPDATE identity.refresh_token
           SET used_at = coalesce(used_at, now()), successor_seed = coalesce(successor_seed, $2)
           FROM identity.session
           JOIN identity.person USING (person_id)
           WHERE token_hash = $1 AND session.session_id = refresh_token.session_id
             AND (used_at IS NULL OR (successor_seed IS NOT NULL AND used_at > now() - $3::interval))
           RETURNING session.session_id, person_id, revoked_at IS NULL AND expires_at > now() AS "live!", active,
                     successor_seed AS "successor_seed!", now() AS "now!", expires_at"#,
        token_hash,
        seed,
        interval(grace),
    )
    .fetch_optional(executor)
    .await
}

/// Erases the seeds of tokens whose grace time is over. Returns how many.
pub(crate) async fn erase_seeds(executor: impl PgExecutor<'_>, grace: Duration, most: i32) -> sqlx::Result<u64> {
    let erased = query!(
        "UPDATE identity.refresh_token
         SET successor_seed = NULL
         WHERE token_hash IN (
             SELECT token_hash
             FROM identity.refresh_token
             WHERE successor_seed IS NOT NULL AND used_at <= now() - $1::interval
             LIMIT $2
             FOR UPDATE SKIP LOCKED
         )",
        interval(grace),
        i64::from(most),
    )
    .execute(executor)
    .await?;
    Ok(erased.rows_affected())
}

/// Deletes tokens of sessions that ended more than `ago` ago. Returns how many.
pub(crate) async fn delete_ended(executor: impl PgExecutor<'_>, ago: Duration, most: i32) -> sqlx::Result<u64> {
    let deleted = query_scalar!(
        r#"SELECT identity.delete_refresh_tokens(now() - $1::interval, $2) AS "deleted!""#,
        interval(ago),
        most,
    );
    Ok(deleted.fetch_one(executor).await?.unsigned_abs())
}
