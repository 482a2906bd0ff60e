use sqlx::query_as;
use telemetry::postgres::Tx;
use uuid::Uuid;

/// A key that was free and is now taken for a new report.
pub(crate) struct Claimed {
    pub(crate) enrolment_id: Uuid,
    pub(crate) report_id: Uuid,
}

/// Takes the key for a new report. `None` when it is taken, or the assignment is not the person's.
///
/// A second request with the same key waits here until the first one's transaction ends.
pub(crate) async fn claim(
    tx: &mut Tx,
    assignment_id: Uuid,
    person_id: Uuid,
    key: &str,
    fingerprint: &[u8],
) -> sqlx::Result<Option<Claimed>> {
    query_as!(
        Claimed,
        "INSERT INTO clinical.idempotency (enrolment_id, key, fingerprint, report_id)
         SELECT enrolment_id, $3, $4, gen_random_uuid()
         FROM clinical.assignment
         JOIN clinical.enrolment USING (enrolment_id)
         WHERE assignment_id = $1 AND person_id = $2
         ON CONFLICT DO NOTHING
         RETURNING enrolment_id, report_id",
        assignment_id,
        person_id,
        key,
        fingerprint,
    )
    .fetch_optional(tx)
    .await
}
