use sqlx::{PgExecutor, query_as};
use uuid::Uuid;

pub(crate) struct Site {
    pub(crate) site_id: Uuid,
    pub(crate) code: String,
    pub(crate) name: String,
    pub(crate) time_zone: String,
}

/// A site and the study that it belongs to.
pub(crate) struct SiteOfStudy {
    pub(crate) site_id: Uuid,
    pub(crate) code: String,
    pub(crate) name: String,
    pub(crate) time_zone: String,
    pub(crate) study_id: Uuid,
    pub(crate) study_code: String,
    pub(crate) study_title: String,
}

/// The sites with their studies, ordered by the codes of both.
pub(crate) async fn list_with_study(
    executor: impl PgExecutor<'_>,
    site_ids: &[Uuid],
) -> sqlx::Result<Vec<SiteOfStudy>> {
    query_as!(
        SiteOfStudy,
        "SELECT site_id, site.code, name, time_zone, study_id, study.code AS study_code, title AS study_title
         FROM clinical.site
         JOIN clinical.study USING (study_id)
         WHERE site_id = ANY($1)
         ORDER BY study.code, site.code",
        site_ids,
    )
    .fetch_all(executor)
    .await
}

/// Those of the sites that belong to the study, ordered by code.
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
