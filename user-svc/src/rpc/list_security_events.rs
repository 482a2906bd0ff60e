use proto::domain::Cursor;
use proto::user as pb;
use telemetry::postgres::Db;

use super::parse;
use crate::error::UserError;
use crate::store;
use crate::store::audit_event::Attack;

/// Locks, blocks and token replays of the people of a site, for its nurses.
pub(crate) async fn list_security_events(
    db: &Db,
    request: &pb::ListSecurityEventsRequest,
) -> Result<pb::ListSecurityEventsResponse, UserError> {
    let (_, site_id) = parse::site_of_nurse(request.nurse.as_ref(), &request.site_id)?;
    let after = parse::cursor(request.after.as_ref())?;
    let limit = parse::limit(request.limit)?;
    // One more than asked for shows whether there is another page.
    let mut found = store::audit_event::list_attacks(db, site_id, after, i64::from(limit) + 1).await?;
    let shown = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = found.len() > shown;
    found.truncate(shown);
    let next = found.last().filter(|_| more).map(place);
    Ok(pb::ListSecurityEventsResponse { events: found.into_iter().map(event).collect::<Result<_, _>>()?, next })
}

fn place(attack: &Attack) -> Cursor {
    Cursor { time: Some(parse::timestamp(attack.recorded_at)), id: attack.audit_event_id.to_string() }
}

fn event(attack: Attack) -> Result<pb::SecurityEvent, UserError> {
    let kind = match attack.action.as_str() {
        "login.lock" => pb::SecurityEventKind::LoginLocked,
        "login.block" => pb::SecurityEventKind::LoginBlocked,
        "session.replay" => pb::SecurityEventKind::RefreshTokenReplayed,
        _ => return Err(UserError::Corrupt("event")),
    };
    Ok(pb::SecurityEvent {
        event_id: attack.audit_event_id.to_string(),
        kind: kind.into(),
        person_id: attack.person_id.to_string(),
        login: attack.login,
        role: attack.role.into(),
        trace_id: attack.trace_id,
        recorded_at: Some(parse::timestamp(attack.recorded_at)),
        locked: attack.locked,
    })
}
