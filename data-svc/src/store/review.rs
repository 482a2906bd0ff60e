use chrono::{DateTime, Utc};
use sqlx::query;
use telemetry::postgres::Tx;
use uuid::Uuid;

use crate::values::ReviewOutcome;

/// Constraint: a revision has one review at most.
pub(crate) const ONE_PER_REPORT: &str = "review_report_id_key";

/// A nurse's verdict on one revision.
pub(crate) struct Review {
    pub(crate) review_id: Uuid,
    pub(crate) reviewer_id: Uuid,
    pub(crate) outcome: ReviewOutcome,
    pub(crate) recorded_at: DateTime<Utc>,
}

impl Review {
    /// A review from the columns of an outer join. `None` without an id.
    pub(super) fn from_columns(
        review_id: Option<Uuid>,
        reviewer_id: Option<Uuid>,
        outcome: Option<ReviewOutcome>,
        recorded_at: Option<DateTime<Utc>>,
    ) -> Option<Self> {
        Some(Self { review_id: review_id?, reviewer_id: reviewer_id?, outcome: outcome?, recorded_at: recorded_at? })
    }
}

/// Stores a nurse's verdict on one revision.
pub(crate) async fn insert(
    tx: &mut Tx<'_>,
    review_id: Uuid,
    report_id: Uuid,
    reviewer_id: Uuid,
    outcome: ReviewOutcome,
) -> sqlx::Result<()> {
    query!(
        "INSERT INTO clinical.review (review_id, report_id, reviewer_id, outcome) VALUES ($1, $2, $3, $4)",
        review_id,
        report_id,
        reviewer_id,
        outcome as ReviewOutcome,
    )
    .execute(tx)
    .await
    .map(drop)
}

/// The first review, with its report's enrolment, that is not recorded in exactly one event.
pub(crate) async fn first_without_event(tx: &mut Tx<'_>) -> sqlx::Result<Option<(Uuid, Uuid)>> {
    let row = query!(
        r#"SELECT enrolment_id AS "enrolment_id!", review_id AS "review_id!"
           FROM clinical.review
           JOIN clinical.report USING (report_id)
           WHERE 1 <> (SELECT count(*) FROM clinical.audit_event AS event
                       WHERE event.enrolment_id = report.enrolment_id AND object_id = review_id
                         AND action = 'report.review')
           ORDER BY enrolment_id, review_id
           LIMIT 1"#,
    );
    Ok(row.fetch_optional(tx).await?.map(|row| (row.enrolment_id, row.review_id)))
}
