use axum::Json;
use axum::extract::State;
use proto::data as pb;
use serde::Serialize;
use utoipa::ToSchema;

use crate::extract::{Nurse, PathId};
use crate::problem::Problem;
use crate::representation::{hexadecimal, rfc3339};
use crate::router::Shared;

/// What was done to a report in all its revisions, oldest first.
#[derive(Serialize, ToSchema)]
pub(crate) struct AuditTrail {
    events: Vec<AuditEvent>,
}

/// A link of the enrolment's hash chain. All hashes are SHA-256.
#[derive(Serialize, ToSchema)]
struct AuditEvent {
    /// Place in the chain.
    #[schema(minimum = 1)]
    seq: u64,
    #[schema(format = Uuid)]
    actor_id: String,
    #[schema(example = "report.create")]
    action: String,
    /// The report or the review.
    #[schema(format = Uuid)]
    object_id: String,
    /// Of the object as it was; absent for what is new.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, pattern = "^[0-9a-f]{64}$")]
    before_hash: Option<String>,
    /// Of the object as it is since then.
    #[schema(pattern = "^[0-9a-f]{64}$")]
    after_hash: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    reason: Option<String>,
    /// The trace of the request that did it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, pattern = "^[0-9a-f]{32}$")]
    trace_id: Option<String>,
    #[schema(format = DateTime)]
    recorded_at: String,
    /// Of the event before this one; zeros for the first.
    #[schema(pattern = "^[0-9a-f]{64}$")]
    prev_hash: String,
    /// Of this event and `prev_hash`.
    #[schema(pattern = "^[0-9a-f]{64}$")]
    hash: String,
}

/// Read a report's audit trail
#[utoipa::path(
    get,
    path = "/v1/reports/{id}/audit",
    tag = "reviews",
    security(("bearer" = [])),
    params(("id" = Uuid, Path, description = "Any revision.")),
    responses((status = 200, description = "The events.", body = AuditTrail)),
    extensions(("x-problems" = json!(["wrong-role", "report-not-found"]))),
)]
pub(crate) async fn list_audit_events(
    State(shared): State<Shared>,
    Nurse(principal): Nurse,
    PathId(id): PathId,
) -> Result<Json<AuditTrail>, Problem> {
    let events = shared.data.list_audit_events(principal, id).await?.into_iter().map(AuditEvent::try_from);
    Ok(Json(AuditTrail { events: events.collect::<Result<_, _>>()? }))
}

impl TryFrom<pb::AuditEvent> for AuditEvent {
    type Error = Problem;

    fn try_from(event: pb::AuditEvent) -> Result<Self, Problem> {
        Ok(Self {
            seq: event.seq,
            actor_id: event.actor_id,
            action: event.action,
            object_id: event.object_id,
            before_hash: (!event.before_hash.is_empty()).then(|| hexadecimal(&event.before_hash)),
            after_hash: hexadecimal(&event.after_hash),
            reason: Some(event.reason).filter(|reason| !reason.is_empty()),
            trace_id: Some(event.trace_id).filter(|id| !id.is_empty()),
            recorded_at: rfc3339(event.recorded_at)?,
            prev_hash: hexadecimal(&event.prev_hash),
            hash: hexadecimal(&event.hash),
        })
    }
}
