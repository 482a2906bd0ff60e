use chrono::{DateTime, Utc};
use sqlx::{PgExecutor, query_as};
use uuid::Uuid;

pub(crate) struct Study {
    pub(crate) study_id: Uuid,
    pub(crate) code: String,
    pub(crate) title: String,
    /// From then on it takes no reports.
    pub(crate) closed_at: Option<DateTime<Utc>>,
}

/// A study that has at least one of the sites.
pub(crate) async fn find(
    executor: impl PgExecutor<'_>,
    study_id: Uuid,
    site_ids: &[Uuid],
) -> sqlx::Result<Option<Study>> {
    query_as!(
        Study,
        "SELECT study_id, code, title, closed_at
         FROM clinical.study
         WHERE study_id = $1
           AND EXISTS (SELECT FROM clinical.site WHERE site.study_id = $1 AND site.site_id = ANY($2))",
        study_id,
        site_ids,
    )
    .fetch_optional(executor)
    .await
}
