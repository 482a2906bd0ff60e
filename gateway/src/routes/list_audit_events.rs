use axum::Json;
use axum::extract::State;
use proto::data as pb;
use serde::Serialize;
use serde_json::Value;
use service_kit::error::Reason;
use utoipa::ToSchema;

use crate::caller::Nurse;
use crate::extract::{EventCursor, EventPage, PathId};
use crate::problem::Problem;
use crate::representation::rfc3339;
use crate::shared::Shared;

/// Some audit events of a report in all its revisions, and of the enrolment that it belongs to; oldest first.
#[derive(Serialize, ToSchema)]
pub(crate) struct AuditTrail {
    events: Vec<AuditEvent>,
    /// The `cursor` of the next page; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, value_type = Option<String>)]
    next_cursor: Option<EventCursor>,
}

/// A link of the enrolment's hash chain. All hashes are SHA-256.
#[derive(Serialize, ToSchema)]
struct AuditEvent {
    /// Position in the chain.
    #[schema(minimum = 1)]
    seq: u64,
    /// Who made the change through the API.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, format = Uuid)]
    actor_id: Option<String>,
    /// The role of the database session, if the change was not made through the API.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    actor_role: Option<String>,
    #[schema(example = "report.create")]
    action: String,
    /// The report, the review, the enrolment or the assignment.
    #[schema(format = Uuid)]
    object_id: String,
    /// Hash of the object before the change; absent for a new object.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, pattern = "^[0-9a-f]{64}$")]
    before_hash: Option<String>,
    /// Hash of the object after the change.
    #[schema(pattern = "^[0-9a-f]{64}$")]
    after_hash: String,
    /// Hash of the enrolment, its site and its study as they were then; absent in events from before it was recorded.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, pattern = "^[0-9a-f]{64}$")]
    context_hash: Option<String>,
    /// Changes of the enrolment, its site or its study, or of the assignment's windows: the values before and after, by
    /// table and column.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, value_type = Option<Object>,
             example = json!({"enrolment": {"time_zone": ["Europe/Berlin", "America/New_York"]}}))]
    changes: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    reason: Option<String>,
    /// The trace of the request that made the change.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, pattern = "^[0-9a-f]{32}$")]
    trace_id: Option<String>,
    #[schema(format = DateTime)]
    recorded_at: String,
    /// Hash of the event before this one; zeros for the first.
    #[schema(pattern = "^[0-9a-f]{64}$")]
    prev_hash: String,
    /// Hash of this event and `prev_hash`.
    #[schema(pattern = "^[0-9a-f]{64}$")]
    hash: String,
}

/// Read a report's audit trail
///
/// Oldest first: what was done to the report, and changes of the enrolment, site, study and
/// schedule that it belongs to.
#[utoipa::path(
    get,
    path = "/v1/reports/{id}/audit",
    tag = "reviews",
    security(("bearer" = [])),
    params(("id" = Uuid, Path, description = "Any revision."), EventPage),
    responses((status = 200, description = "A page of events.", body = AuditTrail)),
    extensions(("x-problems" = json!([Reason::Inactive, Reason::WrongRole, Reason::ReportNotFound]))),
)]
pub(crate) async fn list_audit_events(
    State(shared): State<Shared>,
    Nurse(principal): Nurse,
    PathId(id): PathId,
    page: EventPage,
) -> Result<Json<AuditTrail>, Problem> {
    let listed = shared.data.list_audit_events(principal, id, page).await?;
    let events = listed.events.into_iter().map(AuditEvent::try_from).collect::<Result<_, _>>()?;
    let next_cursor = listed.next_seq.map(EventCursor);
    Ok(Json(AuditTrail { events, next_cursor }))
}

impl TryFrom<pb::AuditEvent> for AuditEvent {
    type Error = Problem;

    fn try_from(event: pb::AuditEvent) -> Result<Self, Problem> {
        Ok(Self {
            seq: event.seq,
            actor_id: event.actor_id,
            actor_role: event.actor_role,
            action: event.action,
            object_id: event.object_id,
            before_hash: event.before_hash.as_deref().map(hex::encode),
            after_hash: hex::encode(&event.after_hash),
            context_hash: event.context_hash.as_deref().map(hex::encode),
            changes: event
                .changes
                .map(|text| serde_json::from_str(&text))
                .transpose()
                .map_err(|_| Problem::INTERNAL)?,
            reason: event.reason,
            trace_id: event.trace_id,
            recorded_at: rfc3339(event.recorded_at)?,
            prev_hash: hex::encode(&event.prev_hash),
            hash: hex::encode(&event.hash),
        })
    }
}
