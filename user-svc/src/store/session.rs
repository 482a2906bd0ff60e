use std::time::Duration;

use chrono::{DateTime, Utc};
use service_kit::database::interval;
use sqlx::{PgExecutor, query_as, query_scalar};
use uuid::Uuid;

use crate::role::Role;

pub(crate) struct Session {
    pub(crate) session_id: Uuid,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) expires_at: DateTime<Utc>,
}

/// A session's person at one of their sites. A person without sites has one row without a site.
pub(crate) struct Membership {
    pub(crate) person_id: Uuid,
    pub(crate) role: Role,
    pub(crate) active: bool,
    pub(crate) site_id: Option<Uuid>,
    /// For a patient: the site's active nurses.
    pub(crate) care_team: Option<Vec<Uuid>>,
}

/// Opens a session that expires after `lifetime`.
pub(crate) async fn insert(
    executor: impl PgExecutor<'_>,
    person_id: Uuid,
    lifetime: Duration,
) -> sqlx::Result<Session> {
    query_as!(
        Session,
        "INSERT INTO identity.session (person_id, expires_at)
         VALUES ($1, now() + $2::interval)
         RETURNING session_id, created_at, expires_at",
        person_id,
        interval(lifetime),
    )
    .fetch_one(executor)
    .await
}

/// The person of a live session, with a row for each of their sites. Empty when the session has ended.
pub(crate) async fn find_memberships(executor: impl PgExecutor<'_>, session_id: Uuid) -> sqlx::Result<Vec<Membership>> {
    query_as!(
        Membership,
        r#"SELECT person.person_id, person.role AS "role: Role", person.active,
                  membership.site_id AS "site_id?",
                  (SELECT array_agg(nurse.person_id)
                   FROM identity.site_membership AS colleague
                   JOIN identity.person AS nurse USING (person_id)
                   WHERE person.role = 'patient' AND colleague.site_id = membership.site_id
                     AND nurse.role = 'nurse' AND nurse.active) AS care_team
           FROM identity.session
           JOIN identity.person USING (person_id)
           LEFT JOIN identity.site_membership AS membership USING (person_id)
           WHERE session_id = $1 AND revoked_at IS NULL AND expires_at > now()"#,
        session_id,
    )
    .fetch_all(executor)
    .await
}

/// Ends a session and returns its person. None when it had ended before.
pub(crate) async fn revoke(executor: impl PgExecutor<'_>, session_id: Uuid) -> sqlx::Result<Option<Uuid>> {
    query_scalar!(
        "UPDATE identity.session
         SET revoked_at = now()
         WHERE session_id = $1 AND revoked_at IS NULL AND expires_at > now()
         RETURNING person_id",
        session_id,
    )
    .fetch_optional(executor)
    .await
}

/// The session of a refresh token that was used again.
pub(crate) struct Replayed {
    pub(crate) session_id: Uuid,
    pub(crate) person_id: Uuid,
    /// Whether the session was still live, and so was ended by this.
    pub(crate) was_live: bool,
}

/// Ends the session of a refresh token if it has not ended yet. None when there is no such token.
pub(crate) async fn revoke_of_token(
    executor: impl PgExecutor<'_>,
    token_hash: &[u8; 32],
) -> sqlx::Result<Option<Replayed>> {
    query_as!(
        Replayed,
        r#"WITH replayed AS MATERIALIZED (
               SELECT session_id, person_id, revoked_at IS NULL AND expires_at > now() AS was_live
               FROM identity.refresh_token
               JOIN identity.session USING (session_id)
               WHERE token_hash = $1
               FOR UPDATE OF session
           ), revoked AS (
               UPDATE identity.session
               SET revoked_at = now()
               FROM replayed
               WHERE session.session_id = replayed.session_id AND was_live
           )
           SELECT session_id, person_id, was_live AS "was_live!"
           FROM replayed"#,
        token_hash,
    )
    .fetch_optional(executor)
    .await
}

/// Ends all live sessions of a person and returns their ids.
pub(crate) async fn revoke_of_person(executor: impl PgExecutor<'_>, person_id: Uuid) -> sqlx::Result<Vec<Uuid>> {
    query_scalar!(
        "UPDATE identity.session
         SET revoked_at = now()
         WHERE person_id = $1 AND revoked_at IS NULL AND expires_at > now()
         RETURNING session_id",
        person_id,
    )
    .fetch_all(executor)
    .await
}

/// Deletes sessions that ended more than `ago` ago and have no refresh tokens any more. Returns how many.
pub(crate) async fn delete_ended(executor: impl PgExecutor<'_>, ago: Duration, most: i32) -> sqlx::Result<u64> {
    let deleted = query_scalar!(
        r#"SELECT identity.delete_sessions(now() - $1::interval, $2) AS "deleted!""#,
        interval(ago),
        most
    );
    Ok(deleted.fetch_one(executor).await?.unsigned_abs())
}
