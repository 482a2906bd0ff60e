//! What nurses read of the audit trail.

use chrono::{DateTime, Utc};
use sqlx::{PgExecutor, query_as};
use uuid::Uuid;

/// A stored event.
pub(crate) struct Recorded {
    pub(crate) seq: i64,
    pub(crate) actor_id: Uuid,
    pub(crate) action: String,
    pub(crate) object_id: Uuid,
    pub(crate) before_hash: Option<Vec<u8>>,
    pub(crate) after_hash: Vec<u8>,
    pub(crate) reason: Option<String>,
    pub(crate) trace_id: Option<String>,
    pub(crate) recorded_at: DateTime<Utc>,
    pub(crate) prev_hash: Vec<u8>,
    pub(crate) hash: Vec<u8>,
}

/// Events of a report in all its revisions, and of their reviews, oldest first. None unless the report is of
/// one of the sites.
pub(crate) async fn list(
    executor: impl PgExecutor<'_>,
    report_id: Uuid,
    site_ids: &[Uuid],
) -> sqlx::Result<Vec<Recorded>> {
    query_as!(
        Recorded,
        "WITH RECURSIVE series AS (
             SELECT report_id, supersedes
             FROM clinical.report
             JOIN clinical.enrolment USING (enrolment_id)
             WHERE report_id = $1 AND site_id = ANY($2)
             UNION
             SELECT other.report_id, other.supersedes
             FROM series
             JOIN clinical.report AS other
               ON other.report_id = series.supersedes OR other.supersedes = series.report_id
         )
         SELECT seq, actor_id, action, object_id, before_hash, after_hash, reason, trace_id, recorded_at,
                prev_hash, hash
         FROM clinical.audit_event
         WHERE object_id IN (
             SELECT report_id FROM series
             UNION ALL
             SELECT review_id FROM clinical.review JOIN series USING (report_id)
         )
         ORDER BY seq",
        report_id,
        site_ids,
    )
    .fetch_all(executor)
    .await
}
