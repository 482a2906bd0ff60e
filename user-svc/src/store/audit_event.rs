use std::time::Duration;

use chrono::{DateTime, Utc};
use service_kit::database::interval;
use sqlx::{PgExecutor, query, query_as};
use telemetry::TraceContext;
use uuid::Uuid;

use crate::role::Role;

/// An event of a login or session.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Action {
    /// The session that began.
    Login(Uuid),
    LoginFailed,
    LoginLocked,
    /// Until the login is freed.
    LoginBlocked,
    /// The nurse who freed it.
    LoginFreed(Uuid),
    SessionRefreshed(Uuid),
    /// A used refresh token came again, and its session was ended because of that.
    SessionReplayed(Uuid),
    SessionEnded(Uuid),
    ActivationIssued,
    PinSet,
}

impl Action {
    fn as_str(self) -> &'static str {
        match self {
            Self::Login(_) => "login",
            Self::LoginFailed => "login.fail",
            Self::LoginLocked => "login.lock",
            Self::LoginBlocked => "login.block",
            Self::LoginFreed(_) => "login.free",
            Self::SessionRefreshed(_) => "session.refresh",
            Self::SessionReplayed(_) => "session.replay",
            Self::SessionEnded(_) => "session.end",
            Self::ActivationIssued => "activation.issue",
            Self::PinSet => "pin.set",
        }
    }

    fn session_id(self) -> Option<Uuid> {
        match self {
            Self::Login(id) | Self::SessionRefreshed(id) | Self::SessionReplayed(id) | Self::SessionEnded(id) => {
                Some(id)
            }
            _ => None,
        }
    }

    fn actor_id(self) -> Option<Uuid> {
        match self {
            Self::LoginFreed(nurse) => Some(nurse),
            _ => None,
        }
    }
}

/// Adds an event to the person's audit trail, with the current trace id.
pub(crate) async fn insert(executor: impl PgExecutor<'_>, person_id: Uuid, action: Action) -> sqlx::Result<()> {
    let trace_id = TraceContext::current().trace_id().to_string();
    query!(
        "INSERT INTO identity.audit_event (person_id, action, session_id, actor_id, trace_id)
         VALUES ($1, $2, $3, $4, nullif($5, repeat('0', 32)))",
        person_id,
        action.as_str(),
        action.session_id(),
        action.actor_id(),
        trace_id,
    )
    .execute(executor)
    .await?;
    Ok(())
}

/// Repeated attempts at a closed login or session are recorded once in this time. Nothing is ever deleted from this
/// table, and an attacker must not be able to fill it.
const REPEATED: Duration = Duration::from_hours(1);

/// As [`insert`], unless the same event was recorded less than [`REPEATED`] ago.
pub(crate) async fn insert_repeated(
    executor: impl PgExecutor<'_>,
    person_id: Uuid,
    action: Action,
) -> sqlx::Result<()> {
    let trace_id = TraceContext::current().trace_id().to_string();
    query!(
        "INSERT INTO identity.audit_event (person_id, action, session_id, trace_id)
         SELECT $1, $2, $3, nullif($4, repeat('0', 32))
         WHERE NOT EXISTS (
             SELECT FROM identity.audit_event
             WHERE person_id = $1 AND action = $2 AND session_id IS NOT DISTINCT FROM $3
               AND recorded_at > now() - $5::interval
         )",
        person_id,
        action.as_str(),
        action.session_id(),
        trace_id,
        interval(REPEATED),
    )
    .execute(executor)
    .await?;
    Ok(())
}

/// Adds the end of each of these sessions to the person's audit trail.
pub(crate) async fn insert_ends(
    executor: impl PgExecutor<'_>,
    person_id: Uuid,
    session_ids: &[Uuid],
) -> sqlx::Result<()> {
    let trace_id = TraceContext::current().trace_id().to_string();
    query!(
        "INSERT INTO identity.audit_event (person_id, action, session_id, trace_id)
         SELECT $1, 'session.end', session_id, nullif($3, repeat('0', 32))
         FROM unnest($2::uuid[]) AS session_id",
        person_id,
        session_ids,
        trace_id,
    )
    .execute(executor)
    .await?;
    Ok(())
}

/// An event that may be an attack, with the present state of its login.
pub(crate) struct Attack {
    pub(crate) audit_event_id: Uuid,
    pub(crate) person_id: Uuid,
    pub(crate) login: String,
    pub(crate) role: Role,
    pub(crate) action: String,
    pub(crate) trace_id: Option<String>,
    pub(crate) recorded_at: DateTime<Utc>,
    /// Whether the login is locked or blocked now.
    pub(crate) locked: bool,
}

/// Locks, blocks and token replays of the people of a site, newest first, from the entry after `after` on.
pub(crate) async fn list_attacks(
    executor: impl PgExecutor<'_>,
    site_id: Uuid,
    after: Option<(DateTime<Utc>, Uuid)>,
    limit: i64,
) -> sqlx::Result<Vec<Attack>> {
    let (after_time, after_id) = after.unzip();
    query_as!(
        Attack,
        r#"SELECT audit_event_id, person_id, login, role AS "role: Role", action, trace_id, recorded_at,
                  blocked_at IS NOT NULL OR coalesce(locked_until > now(), false) AS "locked!"
           FROM identity.audit_event
           JOIN identity.person USING (person_id)
           JOIN identity.credential USING (person_id)
           JOIN identity.site_membership USING (person_id)
           WHERE site_id = $1 AND action IN ('login.lock', 'login.block', 'session.replay')
             AND ($2::timestamptz IS NULL OR (recorded_at, audit_event_id) < ($2, $3::uuid))
           ORDER BY recorded_at DESC, audit_event_id DESC
           LIMIT $4"#,
        site_id,
        after_time,
        after_id,
        limit,
    )
    .fetch_all(executor)
    .await
}
