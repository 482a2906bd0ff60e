use sqlx::{PgExecutor, query_as};
use uuid::Uuid;

pub(crate) struct Site {
    pub(crate) site_id: Uuid,
    pub(crate) code: String,
    pub(crate) name: String,
    pub(crate) time_zone: String,
}

/// Those of the sites that are the study's, by code.
pub(crate) async fn list(executor: impl PgExecutor<'_>, study_id: Uuid, site_ids: &[Uuid]) -> sqlx::Result<Vec<Site>> {
    query_as!(
        Site,
        "SELECT site_id, code, name, time_zone
         FROM clinical.site
         WHERE study_id = $1 AND site_id = ANY($2)
         ORDER BY code",
        study_id,
        site_ids,
    )
    .fetch_all(executor)
    .await
}
