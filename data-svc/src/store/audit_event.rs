use sqlx::query;
use telemetry::TraceContext;
use telemetry::postgres::Tx;
use uuid::Uuid;

/// Notes who did what to which object, and in which trace.
pub(crate) async fn insert(
    tx: &mut Tx,
    enrolment_id: Uuid,
    actor_id: Uuid,
    action: &str,
    object_id: Uuid,
    after_hash: &[u8],
) -> sqlx::Result<()> {
    query!(
        "INSERT INTO clinical.audit_event (enrolment_id, actor_id, action, object_id, after_hash, trace_id)
         VALUES ($1, $2, $3, $4, $5, $6)",
        enrolment_id,
        actor_id,
        action,
        object_id,
        after_hash,
        TraceContext::current().trace_id().to_string(),
    )
    .execute(tx)
    .await
    .map(drop)
}
