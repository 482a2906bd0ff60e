use axum::Json;
use axum::extract::State;
use proto::{domain, user as pb};
use serde::Serialize;
use service_kit::error::Reason;
use utoipa::ToSchema;

use crate::caller::Nurse;
use crate::extract::{Cursor, Page, PathId};
use crate::problem::Problem;
use crate::representation::rfc3339;
use crate::shared::Shared;

/// Some security events of a site, newest first.
#[derive(Serialize, ToSchema)]
pub(crate) struct SecurityEventPage {
    events: Vec<SecurityEvent>,
    /// The `cursor` of the next page; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, value_type = Option<String>)]
    next_cursor: Option<Cursor>,
}

/// A sign that somebody may be using another person's login or session.
#[derive(Serialize, ToSchema)]
struct SecurityEvent {
    #[schema(format = Uuid)]
    event_id: String,
    kind: SecurityEventKind,
    /// Whose login or session it is.
    #[schema(format = Uuid)]
    person_id: String,
    #[schema(example = "patient-1")]
    login: String,
    role: Role,
    /// The trace of the request that caused it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, pattern = "^[0-9a-f]{32}$")]
    trace_id: Option<String>,
    #[schema(format = DateTime)]
    recorded_at: String,
    /// Whether the login is locked now.
    locked: bool,
}

/// `login_locked`: consecutive wrong PINs locked the login for a time. `login_blocked`: they locked it until a person
/// unlocks it. `refresh_token_replayed`: a refresh token was sent a second time, so its session was ended.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum SecurityEventKind {
    LoginLocked,
    LoginBlocked,
    RefreshTokenReplayed,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Role {
    Patient,
    Nurse,
}

/// List the security events of a site
///
/// Locked logins of its patients and nurses, and refresh tokens that were sent a second time and may have been stolen.
/// Newest first.
#[utoipa::path(
    get,
    path = "/v1/sites/{id}/security-events",
    tag = "sessions",
    security(("bearer" = [])),
    params(
        ("id" = Uuid, Path, description = "One of the nurse's sites.",
         example = "5d3a1c6e-0f0a-4c55-9d0e-7a1b2c3d4e01"),
        Page,
    ),
    responses((status = 200, description = "A page of events.", body = SecurityEventPage)),
    extensions(("x-problems" = json!([Reason::Inactive, Reason::WrongRole, Reason::SiteNotFound]))),
)]
pub(crate) async fn list_security_events(
    State(shared): State<Shared>,
    Nurse(principal): Nurse,
    PathId(id): PathId,
    page: Page,
) -> Result<Json<SecurityEventPage>, Problem> {
    let response = shared.user.list_security_events(principal, id, page).await?;
    let events = response.events.into_iter().map(SecurityEvent::try_from).collect::<Result<_, _>>()?;
    let next_cursor = response.next.map(Cursor);
    Ok(Json(SecurityEventPage { events, next_cursor }))
}

impl TryFrom<pb::SecurityEvent> for SecurityEvent {
    type Error = Problem;

    fn try_from(event: pb::SecurityEvent) -> Result<Self, Problem> {
        Ok(Self {
            kind: match event.kind() {
                pb::SecurityEventKind::LoginLocked => SecurityEventKind::LoginLocked,
                pb::SecurityEventKind::LoginBlocked => SecurityEventKind::LoginBlocked,
                pb::SecurityEventKind::RefreshTokenReplayed => SecurityEventKind::RefreshTokenReplayed,
                pb::SecurityEventKind::Unspecified => return Err(Problem::INTERNAL),
            },
            role: match event.role() {
                domain::Role::Patient => Role::Patient,
                domain::Role::Nurse => Role::Nurse,
                domain::Role::Unspecified => return Err(Problem::INTERNAL),
            },
            event_id: event.event_id,
            person_id: event.person_id,
            login: event.login,
            trace_id: event.trace_id,
            recorded_at: rfc3339(event.recorded_at)?,
            locked: event.locked,
        })
    }
}
