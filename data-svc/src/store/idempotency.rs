use sqlx::{query, query_as};
use telemetry::postgres::Tx;
use uuid::Uuid;

/// A key that was free and is now taken for a new report.
pub(crate) struct Claimed {
    pub(crate) enrolment_id: Uuid,
    pub(crate) report_id: Uuid,
}

/// Why a key could not be taken.
pub(crate) struct Refusal {
    pub(crate) study_closed: bool,
    pub(crate) stored: Option<Stored>,
}

/// What the key stored before.
pub(crate) struct Stored {
    pub(crate) report_id: Uuid,
    pub(crate) fingerprint: Vec<u8>,
    pub(crate) disposition: String,
}

/// Takes the key for a new report. `None` when it is taken, the study is closed, or the assignment is not
/// the person's.
///
/// A second request with the same key waits here until the first one's transaction ends.
pub(crate) async fn claim(
    tx: &mut Tx<'_>,
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
         JOIN clinical.study USING (study_id)
         WHERE assignment_id = $1 AND person_id = $2 AND (closed_at IS NULL OR closed_at > now())
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

/// Why [`claim`] took nothing. `None` when the assignment is not the person's.
pub(crate) async fn explain(
    tx: &mut Tx<'_>,
    assignment_id: Uuid,
    person_id: Uuid,
    key: &str,
) -> sqlx::Result<Option<Refusal>> {
    let row = query!(
        r#"SELECT coalesce(closed_at <= now(), false) AS "study_closed!", idempotency.report_id AS "report_id?",
                  idempotency.fingerprint AS "fingerprint?", report.disposition AS "disposition?"
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
    )
    .fetch_optional(tx)
    .await?;
    Ok(row.map(|row| Refusal {
        study_closed: row.study_closed,
        stored: match (row.report_id, row.fingerprint, row.disposition) {
            (Some(report_id), Some(fingerprint), Some(disposition)) => {
                Some(Stored { report_id, fingerprint, disposition })
            }
            _ => None,
        },
    }))
}
