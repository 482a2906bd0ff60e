use std::time::Duration;

use chrono::{DateTime, Utc};
use service_kit::database::interval;
use sqlx::{PgExecutor, query, query_as, query_scalar};
use uuid::Uuid;

pub(crate) struct Session {
    pub(crate) session_id: Uuid,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) expires_at: DateTime<Utc>,
}

/// A session's person at one of their sites; without a site for a person who has none.
pub(crate) struct Membership {
    pub(crate) person_id: Uuid,
    pub(crate) role: String,
    pub(crate) active: bool,
    pub(crate) site_id: Option<Uuid>,
    /// For a patient: the site's active nurses.
    pub(crate) care_team: Option<Vec<Uuid>>,
}

/// Opens a session that ends by itself after `lifetime`.
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

/// Who a live session belongs to, with a row for each of their sites. Empty when it has ended.
pub(crate) async fn find_memberships(executor: impl PgExecutor<'_>, session_id: Uuid) -> sqlx::Result<Vec<Membership>> {
    query_as!(
        Membership,
        r#"SELECT person.person_id, person.role, person.active,
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

/// Ends a session and gives whose it was. None when it has ended before.
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

/// A session that has ended because of a token, and whose it was.
pub(crate) struct Revoked {
    pub(crate) session_id: Uuid,
    pub(crate) person_id: Uuid,
}

/// Ends the session that a refresh token belongs to. None when there is no such token, or the session has ended before.
pub(crate) async fn revoke_of_token(
    executor: impl PgExecutor<'_>,
    token_hash: &[u8; 32],
) -> sqlx::Result<Option<Revoked>> {
    query_as!(
        Revoked,
        "UPDATE identity.session
         SET revoked_at = now()
         FROM identity.refresh_token
         WHERE token_hash = $1 AND session.session_id = refresh_token.session_id
           AND revoked_at IS NULL AND expires_at > now()
         RETURNING session.session_id, person_id",
        token_hash,
    )
    .fetch_optional(executor)
    .await
}

/// Ends all sessions of a person.
pub(crate) async fn revoke_of_person(executor: impl PgExecutor<'_>, person_id: Uuid) -> sqlx::Result<()> {
    query!("UPDATE identity.session SET revoked_at = now() WHERE person_id = $1 AND revoked_at IS NULL", person_id)
        .execute(executor)
        .await?;
    Ok(())
}

/// Deletes sessions that ended so long ago and have no refresh tokens any more. Gives how many.
pub(crate) async fn delete_ended(executor: impl PgExecutor<'_>, ago: Duration, most: i32) -> sqlx::Result<u64> {
    let deleted = query_scalar!(
        r#"SELECT identity.delete_sessions(now() - $1::interval, $2) AS "deleted!""#,
        interval(ago),
        most
    );
    Ok(deleted.fetch_one(executor).await?.unsigned_abs())
}
