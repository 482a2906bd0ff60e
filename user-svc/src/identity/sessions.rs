use std::num::NonZeroUsize;
use std::time::Duration;

use serde::Deserialize;

use super::Lockout;

/// The `sessions:` block.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Sessions {
    /// How long a session lasts, however often its tokens are refreshed.
    #[serde(with = "humantime_serde")]
    pub(crate) lifetime: Duration,
    /// How long an access token is good for; its session may end sooner.
    #[serde(with = "humantime_serde")]
    pub(crate) access_token_lifetime: Duration,
    /// How long after its first use a refresh token still gets the same successor, in case the answer was lost.
    #[serde(with = "humantime_serde")]
    pub(crate) refresh_grace: Duration,
    /// `iss` of the access tokens.
    pub(crate) issuer: String,
    /// `aud` of the access tokens.
    pub(crate) audience: String,
    /// PINs checked and hashed at the same time.
    pub(crate) concurrent_logins: NonZeroUsize,
    pub(crate) lockout: Lockout,
    /// How long a failed login takes at least, so that the time it took does not tell why it failed.
    #[serde(with = "humantime_serde")]
    pub(crate) failed_login_takes: Duration,
}
