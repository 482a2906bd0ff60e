use std::time::Duration;

use service_kit::database::interval;
use sqlx::{PgExecutor, query, query_as, query_scalar};
use telemetry::postgres::Tx;
use uuid::Uuid;

use crate::values::Disposition;

/// A key that was free and is now claimed for a new report or a new revision.
pub(crate) struct Claimed {
    pub(crate) enrolment_id: Uuid,
    pub(crate) report_id: Uuid,
}

/// Why a key could not be claimed.
pub(crate) struct Refusal {
    pub(crate) study_closed: bool,
    /// Whether the enrolment has sent as many reports within an hour as the study allows. Urgent reports and others are
    /// counted separately.
    pub(crate) too_many: bool,
    pub(crate) stored: Option<Stored>,
}

/// What the key has stored before.
pub(crate) struct Stored {
    /// The revision that was stored or reviewed.
    pub(crate) report_id: Uuid,
    pub(crate) revision: i32,
    pub(crate) fingerprint: Vec<u8>,
    pub(crate) disposition: Disposition,
    /// The review, if the key has stored one.
    pub(crate) review_id: Option<Uuid>,
}

impl Stored {
    /// From the columns of an outer join. `None` without an id.
    pub(super) fn from_columns(
        report_id: Option<Uuid>,
        revision: Option<i32>,
        fingerprint: Option<Vec<u8>>,
        disposition: Option<Disposition>,
        review_id: Option<Uuid>,
    ) -> Option<Self> {
        Some(Self {
            report_id: report_id?,
            revision: revision?,
            fingerprint: fingerprint?,
            disposition: disposition?,
            review_id,
        })
    }
}

/// Claims the key for a new report. `None` in these cases: the key is taken; the assignment is not the person's; the
/// study is closed and the report was not captured `before_closing`; the person has sent as many reports within an hour
/// as the study allows. Urgent reports are counted separately, so that many others cannot keep an urgent one out.
///
/// A second request with the same key waits here until the first one's transaction ends.
pub(crate) async fn claim(
    tx: &mut Tx<'_>,
    assignment_id: Uuid,
    person_id: Uuid,
    key: &str,
    fingerprint: &[u8],
    before_closing: bool,
    urgent: bool,
) -> sqlx::Result<Option<Claimed>> {
    query_as!(
        Claimed,
        "INSERT INTO clinical.idempotency (enrolment_id, key, fingerprint, report_id)
         SELECT enrolment_id, $3, $4, gen_random_uuid()
         FROM clinical.assignment
         JOIN clinical.enrolment USING (enrolment_id)
         JOIN clinical.study USING (study_id)
         WHERE assignment_id = $1 AND person_id = $2 AND (closed_at IS NULL OR closed_at > now() OR $5)
           AND reports_per_hour > (
               SELECT count(*)
               FROM clinical.report
               WHERE report.enrolment_id = enrolment.enrolment_id AND received_at > now() - interval '1 hour'
                 AND revision = 1
                 AND $6 = EXISTS (SELECT FROM clinical.alert WHERE alert.report_id = report.report_id AND urgent)
           )
         ON CONFLICT DO NOTHING
         RETURNING enrolment_id, report_id",
        assignment_id,
        person_id,
        key,
        fingerprint,
        before_closing,
        urgent,
    )
    .fetch_optional(tx)
    .await
}

/// Claims the key for a new revision of a person's own report. `None` in these cases: the key is taken; the report is
/// not the person's; the person has amended as many reports within an hour as the study allows. Amendments are counted
/// separately from reports, and urgent amendments separately from others. Waits like [`claim`].
pub(crate) async fn claim_amendment(
    tx: &mut Tx<'_>,
    supersedes: Uuid,
    person_id: Uuid,
    key: &str,
    fingerprint: &[u8],
    urgent: bool,
) -> sqlx::Result<Option<Claimed>> {
    query_as!(
        Claimed,
        "INSERT INTO clinical.idempotency (enrolment_id, key, fingerprint, report_id)
         SELECT enrolment_id, $3, $4, gen_random_uuid()
         FROM clinical.report
         JOIN clinical.enrolment USING (enrolment_id)
         JOIN clinical.study USING (study_id)
         WHERE report_id = $1 AND person_id = $2
           AND reports_per_hour > (
               SELECT count(*)
               FROM clinical.report AS recent
               WHERE recent.enrolment_id = enrolment.enrolment_id AND recent.received_at > now() - interval '1 hour'
                 AND recent.revision > 1
                 AND $5 = EXISTS (SELECT FROM clinical.alert WHERE alert.report_id = recent.report_id AND urgent)
           )
         ON CONFLICT DO NOTHING
         RETURNING enrolment_id, report_id",
        supersedes,
        person_id,
        key,
        fingerprint,
        urgent,
    )
    .fetch_optional(tx)
    .await
}

/// Claims the key for a review of a report of one of the sites; returns the review's id. `None` if the key is taken, or
/// the report belongs to another site. Waits like [`claim`].
pub(crate) async fn claim_review(
    tx: &mut Tx<'_>,
    report_id: Uuid,
    site_ids: &[Uuid],
    key: &str,
    fingerprint: &[u8],
) -> sqlx::Result<Option<Uuid>> {
    query_scalar!(
        r#"INSERT INTO clinical.idempotency (enrolment_id, key, fingerprint, report_id, review_id)
           SELECT enrolment_id, $3, $4, report_id, gen_random_uuid()
           FROM clinical.report
           JOIN clinical.enrolment USING (enrolment_id)
           WHERE report_id = $1 AND site_id = ANY($2)
           ON CONFLICT DO NOTHING
           RETURNING review_id AS "review_id!""#,
        report_id,
        site_ids,
        key,
        fingerprint,
    )
    .fetch_optional(tx)
    .await
}

/// What a key has stored before in the enrolment of a report.
pub(crate) async fn find(tx: &mut Tx<'_>, report_id: Uuid, key: &str) -> sqlx::Result<Option<Stored>> {
    query_as!(
        Stored,
        r#"SELECT stored.report_id, stored.revision, fingerprint, stored.disposition AS "disposition: Disposition",
                review_id
         FROM clinical.report AS asked
         JOIN clinical.idempotency ON idempotency.enrolment_id = asked.enrolment_id AND idempotency.key = $2
         JOIN clinical.report AS stored ON stored.report_id = idempotency.report_id
         WHERE asked.report_id = $1"#,
        report_id,
        key,
    )
    .fetch_optional(tx)
    .await
}

/// Deletes up to `limit` keys, oldest first, that were claimed longer than `keep_for` ago and whose report cannot
/// arrive any more; returns how many.
pub(crate) async fn delete_expired(executor: impl PgExecutor<'_>, keep_for: Duration, limit: i64) -> sqlx::Result<u64> {
    let deleted = query_scalar!(
        r#"SELECT clinical.delete_idempotency_keys(now() - $1::interval, $2) AS "deleted!""#,
        interval(keep_for),
        limit,
    );
    Ok(deleted.fetch_one(executor).await?.unsigned_abs())
}

/// Why [`claim`] claimed nothing. `None` if the assignment is not the person's.
pub(crate) async fn explain(
    tx: &mut Tx<'_>,
    assignment_id: Uuid,
    person_id: Uuid,
    key: &str,
    urgent: bool,
) -> sqlx::Result<Option<Refusal>> {
    let row = query!(
        r#"SELECT coalesce(closed_at <= now(), false) AS "study_closed!",
                  reports_per_hour <= (
                      SELECT count(*)
                      FROM clinical.report AS recent
                      WHERE recent.enrolment_id = enrolment.enrolment_id AND recent.revision = 1
                        AND recent.received_at > now() - interval '1 hour'
                        AND $4 = EXISTS (SELECT FROM clinical.alert WHERE alert.report_id = recent.report_id AND urgent)
                  ) AS "too_many!", idempotency.report_id AS "report_id?",
                  idempotency.fingerprint AS "fingerprint?", report.disposition AS "disposition?: Disposition",
                  report.revision AS "revision?", idempotency.review_id
           FROM clinical.assignment
           JOIN clinical.enrolment USING (enrolment_id)
           JOIN clinical.study USING (study_id)
           LEFT JOIN clinical.idempotency
                  ON idempotency.enrolment_id = enrolment.enrolment_id AND idempotency.key = $3
           LEFT JOIN clinical.report ON report.report_id = idempotency.report_id
           WHERE assignment.assignment_id = $1 AND person_id = $2"#,
        assignment_id,
        person_id,
        key,
        urgent,
    )
    .fetch_optional(tx)
    .await?;
    Ok(row.map(|row| Refusal {
        study_closed: row.study_closed,
        too_many: row.too_many,
        stored: Stored::from_columns(row.report_id, row.revision, row.fingerprint, row.disposition, row.review_id),
    }))
}
