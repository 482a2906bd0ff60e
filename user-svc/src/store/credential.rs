use sqlx::{PgExecutor, query_as};
use uuid::Uuid;

pub(crate) struct Credential {
    pub(crate) person_id: Uuid,
    pub(crate) pin_hash: String,
}

pub(crate) async fn find(executor: impl PgExecutor<'_>, login: &str) -> sqlx::Result<Option<Credential>> {
    query_as!(Credential, "SELECT person_id, pin_hash FROM identity.credential WHERE login = $1", login)
        .fetch_optional(executor)
        .await
}
