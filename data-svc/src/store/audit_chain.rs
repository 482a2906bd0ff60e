use sqlx::{query, query_scalar};
use telemetry::postgres::Tx;
use uuid::Uuid;

/// Locks the head of the chain that a report belongs to, as adding an event does: until this transaction ends, no other
/// one can add an event to the chain. To be called before reading what a decision depends on.
pub(crate) async fn hold(tx: &mut Tx<'_>, report_id: Uuid) -> sqlx::Result<()> {
    query!(
        "SELECT seq FROM clinical.audit_chain
         JOIN clinical.report USING (enrolment_id)
         WHERE report_id = $1
         FOR UPDATE OF audit_chain",
        report_id,
    )
    .fetch_optional(tx)
    .await
    .map(drop)
}

/// The first enrolment whose chain has a head and no events.
pub(crate) async fn first_without_events(tx: &mut Tx<'_>) -> sqlx::Result<Option<Uuid>> {
    query_scalar!(
        "SELECT enrolment_id
         FROM clinical.audit_chain
         WHERE NOT EXISTS (SELECT FROM clinical.audit_event
                           WHERE audit_event.enrolment_id = audit_chain.enrolment_id)
         ORDER BY enrolment_id
         LIMIT 1",
    )
    .fetch_optional(tx)
    .await
}
