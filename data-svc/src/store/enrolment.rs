use std::collections::HashMap;

use sqlx::{PgExecutor, query};
use uuid::Uuid;

/// People enrolled so far, by site.
pub(crate) async fn count_by_site(
    executor: impl PgExecutor<'_>,
    study_id: Uuid,
    site_ids: &[Uuid],
) -> sqlx::Result<HashMap<Uuid, u64>> {
    let rows = query!(
        r#"SELECT site_id, count(*) AS "enrolments!"
           FROM clinical.enrolment
           WHERE study_id = $1 AND site_id = ANY($2)
           GROUP BY site_id"#,
        study_id,
        site_ids,
    )
    .fetch_all(executor)
    .await?;
    Ok(rows.into_iter().map(|row| (row.site_id, row.enrolments.unsigned_abs())).collect())
}
