use std::time::Duration;

use service_kit::database::interval;
use sqlx::{PgExecutor, query, query_as, query_scalar};
use uuid::Uuid;

pub(crate) struct SigningKey {
    pub(crate) key_id: Uuid,
    /// PKCS #8, DER
    pub(crate) private_key: Vec<u8>,
    /// 32 bytes
    pub(crate) public_key: Vec<u8>,
}

pub(crate) async fn find_newest(executor: impl PgExecutor<'_>) -> sqlx::Result<Option<SigningKey>> {
    query_as!(
        SigningKey,
        "SELECT key_id, private_key, public_key FROM identity.signing_key ORDER BY created_at DESC, key_id LIMIT 1",
    )
    .fetch_optional(executor)
    .await
}

/// All keys, the newest first.
pub(crate) async fn list(executor: impl PgExecutor<'_>) -> sqlx::Result<Vec<SigningKey>> {
    query_as!(
        SigningKey,
        "SELECT key_id, private_key, public_key FROM identity.signing_key ORDER BY created_at DESC, key_id",
    )
    .fetch_all(executor)
    .await
}

/// Deletes keys that were replaced more than `ago` ago, but never the newest. Returns how many.
pub(crate) async fn delete_replaced(executor: impl PgExecutor<'_>, ago: Duration) -> sqlx::Result<u64> {
    let deleted =
        query_scalar!(r#"SELECT identity.delete_signing_keys(now() - $1::interval) AS "deleted!""#, interval(ago));
    Ok(deleted.fetch_one(executor).await?.unsigned_abs())
}

/// The 32 bytes of an Ed25519 public key.
pub(crate) async fn find_public(executor: impl PgExecutor<'_>, key_id: Uuid) -> sqlx::Result<Option<Vec<u8>>> {
    query_scalar!("SELECT public_key FROM identity.signing_key WHERE key_id = $1", key_id)
        .fetch_optional(executor)
        .await
}

pub(crate) async fn insert(executor: impl PgExecutor<'_>, key: SigningKey) -> sqlx::Result<SigningKey> {
    query!(
        "INSERT INTO identity.signing_key (key_id, private_key, public_key) VALUES ($1, $2, $3)",
        key.key_id,
        key.private_key,
        key.public_key,
    )
    .execute(executor)
    .await?;
    Ok(key)
}
