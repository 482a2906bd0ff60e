use chrono::{DateTime, Utc};
use sqlx::{PgExecutor, query};
use uuid::Uuid;

pub(crate) struct Assignment {
    pub(crate) site_id: Uuid,
    pub(crate) definition: serde_json::Value,
    pub(crate) enrolled_at: DateTime<Utc>,
    pub(crate) stored: Option<Stored>,
}

/// What an idempotency key stored before.
pub(crate) struct Stored {
    pub(crate) report_id: Uuid,
    pub(crate) fingerprint: Vec<u8>,
}

/// A person's own assignment, with what the key stored before in the same enrolment.
pub(crate) async fn find(
    executor: impl PgExecutor<'_>,
    assignment_id: Uuid,
    person_id: Uuid,
    key: &str,
) -> sqlx::Result<Option<Assignment>> {
    let row = query!(
        r#"SELECT enrolment.site_id, enrolment.enrolled_at, questionnaire_version.definition,
                  idempotency.report_id AS "report_id?", idempotency.fingerprint AS "fingerprint?"
           FROM clinical.assignment
           JOIN clinical.enrolment USING (enrolment_id)
           JOIN clinical.questionnaire_version USING (questionnaire_version_id)
           LEFT JOIN clinical.idempotency
                  ON idempotency.enrolment_id = enrolment.enrolment_id AND idempotency.key = $3
           WHERE assignment.assignment_id = $1 AND enrolment.person_id = $2"#,
        assignment_id,
        person_id,
        key,
    )
    .fetch_optional(executor)
    .await?;
    Ok(row.map(|row| Assignment {
        site_id: row.site_id,
        definition: row.definition,
        enrolled_at: row.enrolled_at,
        stored: row.report_id.zip(row.fingerprint).map(|(report_id, fingerprint)| Stored { report_id, fingerprint }),
    }))
}
