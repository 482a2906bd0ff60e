use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use proto::user as pb;
use uuid::Uuid;

use crate::error::UserError;
use crate::identity::{RefreshToken, Sessions, Signer};

/// A session at the time when tokens are made for it.
pub(super) struct Moment {
    pub(super) session_id: Uuid,
    pub(super) now: DateTime<Utc>,
    /// The end of the session, and of its refresh tokens.
    pub(super) ends_at: DateTime<Utc>,
}

/// The pair of tokens for the client.
pub(super) fn tokens(
    signer: &Signer<'_>,
    sessions: &Sessions,
    session: &Moment,
    refresh_token: RefreshToken,
) -> Result<pb::Tokens, UserError> {
    let Moment { session_id, now, ends_at } = *session;
    let expires_at = access_ends_at(now, sessions.access_token_lifetime, ends_at);
    Ok(pb::Tokens {
        access_token: signer.sign(session_id, now, expires_at)?,
        expires_in: seconds(now, expires_at),
        refresh_token: refresh_token.reveal(),
        refresh_expires_in: seconds(now, ends_at),
    })
}

/// An access token never outlives its session.
fn access_ends_at(now: DateTime<Utc>, lifetime: Duration, session_ends_at: DateTime<Utc>) -> DateTime<Utc> {
    let lifetime = TimeDelta::from_std(lifetime).unwrap_or(TimeDelta::MAX);
    now.checked_add_signed(lifetime).map_or(session_ends_at, |end| end.min(session_ends_at))
}

/// Whole seconds from one moment to a later one.
fn seconds(from: DateTime<Utc>, to: DateTime<Utc>) -> u32 {
    u32::try_from((to - from).num_seconds().max(0)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_access_token_ends_with_its_time_or_with_its_session_if_that_is_sooner() {
        let now = DateTime::UNIX_EPOCH;
        let after = |seconds| now + TimeDelta::seconds(seconds);
        let ends_at = |lifetime, session| seconds(now, access_ends_at(now, lifetime, after(session)));
        assert_eq!(ends_at(Duration::from_mins(15), 3600), 900);
        assert_eq!(ends_at(Duration::from_mins(15), 60), 60);
        assert_eq!(ends_at(Duration::MAX, 60), 60);
        assert_eq!(ends_at(Duration::ZERO, 60), 0);
    }
}
