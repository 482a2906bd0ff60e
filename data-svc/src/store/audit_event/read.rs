//! Reads of the audit trail for nurses.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::{PgExecutor, query_as};
use uuid::Uuid;

/// A stored event.
pub(crate) struct Recorded {
    pub(crate) seq: i64,
    pub(crate) actor_id: Option<Uuid>,
    pub(crate) actor_role: Option<String>,
    pub(crate) action: String,
    pub(crate) object_id: Uuid,
    pub(crate) before_hash: Option<Vec<u8>>,
    pub(crate) after_hash: Vec<u8>,
    pub(crate) context_hash: Option<Vec<u8>>,
    pub(crate) changes: Option<Value>,
    pub(crate) reason: Option<String>,
    pub(crate) trace_id: Option<String>,
    pub(crate) recorded_at: DateTime<Utc>,
    pub(crate) prev_hash: Vec<u8>,
    pub(crate) hash: Vec<u8>,
}

/// Events of a report in all its revisions, of their reviews, and of the report's enrolment and assignment. Oldest
/// first, after a sequence number. Empty unless the report belongs to one of the sites.
pub(crate) async fn list(
    executor: impl PgExecutor<'_>,
    report_id: Uuid,
    site_ids: &[Uuid],
    after: i64,
    limit: i64,
) -> sqlx::Result<Vec<Recorded>> {
    query_as!(
        Recorded,
        "WITH RECURSIVE series AS (
             SELECT report_id, supersedes, enrolment_id, assignment_id
             FROM clinical.report
             JOIN clinical.enrolment USING (enrolment_id)
             WHERE report_id = $1 AND site_id = ANY($2)
             UNION
             SELECT other.report_id, other.supersedes, other.enrolment_id, other.assignment_id
             FROM series
             JOIN clinical.report AS other
               ON other.report_id = series.supersedes OR other.supersedes = series.report_id
         )
         SELECT seq, actor_id, actor_role, action, object_id, before_hash, after_hash, context_hash, changes, reason,
                trace_id, recorded_at, prev_hash, hash
         FROM clinical.audit_event
         WHERE enrolment_id = (SELECT enrolment_id FROM series LIMIT 1) AND seq > $3
           AND object_id IN (
               SELECT report_id FROM series
               UNION ALL
               SELECT review_id FROM clinical.review JOIN series USING (report_id)
               UNION ALL
               SELECT unnest(ARRAY[enrolment_id, assignment_id]) FROM series
           )
         ORDER BY seq
         LIMIT $4",
        report_id,
        site_ids,
        after,
        limit,
    )
    .fetch_all(executor)
    .await
}
