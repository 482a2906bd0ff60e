use sqlx::{PgExecutor, query_as};
use uuid::Uuid;

pub(crate) struct Contact {
    pub(crate) person_id: Uuid,
    pub(crate) phone: Option<String>,
    pub(crate) email: Option<String>,
}

/// The phone numbers and mail addresses of a site's active nurses.
pub(crate) async fn list_of_site(executor: impl PgExecutor<'_>, site_id: Uuid) -> sqlx::Result<Vec<Contact>> {
    query_as!(
        Contact,
        "SELECT person_id, nullif(phone, '') AS phone, nullif(email, '') AS email
         FROM identity.contact
         JOIN identity.person USING (person_id)
         JOIN identity.site_membership USING (person_id)
         WHERE site_id = $1 AND role = 'nurse' AND active",
        site_id,
    )
    .fetch_all(executor)
    .await
}
