use sqlx::query_scalar;
use telemetry::postgres::Tx;
use uuid::Uuid;

/// The first enrolment whose chain has a head and no events.
pub(crate) async fn first_without_events(tx: &mut Tx) -> sqlx::Result<Option<Uuid>> {
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
