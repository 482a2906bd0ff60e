use chrono::{DateTime, Utc};
use sqlx::{PgExecutor, query, query_as};
use uuid::Uuid;

/// A refresh token that has just been used, with what it was for.
pub(crate) struct Spent {
    pub(crate) session_id: Uuid,
    /// Neither revoked nor over.
    pub(crate) live: bool,
    /// Whether the session's person is.
    pub(crate) active: bool,
    pub(crate) used_at: DateTime<Utc>,
    /// The end of the session.
    pub(crate) expires_at: DateTime<Utc>,
}

pub(crate) async fn insert(executor: impl PgExecutor<'_>, token_hash: &[u8; 32], session_id: Uuid) -> sqlx::Result<()> {
    query!("INSERT INTO identity.refresh_token (token_hash, session_id) VALUES ($1, $2)", token_hash, session_id)
        .execute(executor)
        .await?;
    Ok(())
}

/// Uses a token; none when it is unknown or was used before. Of two at the same time the second waits
/// for the first one's transaction.
pub(crate) async fn spend(executor: impl PgExecutor<'_>, token_hash: &[u8; 32]) -> sqlx::Result<Option<Spent>> {
    query_as!(
        Spent,
        r#"UPDATE identity.refresh_token
           SET used_at = now()
           FROM identity.session
           JOIN identity.person USING (person_id)
           WHERE token_hash = $1 AND used_at IS NULL AND session.session_id = refresh_token.session_id
           RETURNING session.session_id, revoked_at IS NULL AND expires_at > now() AS "live!", active,
                     used_at AS "used_at!", expires_at"#,
        token_hash,
    )
    .fetch_optional(executor)
    .await
}
