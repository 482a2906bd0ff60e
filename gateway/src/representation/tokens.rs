use proto::user as pb;
use serde::Serialize;
use utoipa::ToSchema;

use crate::problem::Problem;

/// A session's tokens (RFC 6749, section 5.1).
#[derive(Serialize, ToSchema)]
pub(crate) struct Tokens {
    /// To be sent as `Authorization: Bearer`.
    access_token: String,
    #[schema(inline)]
    token_type: TokenType,
    /// Seconds until the access token expires.
    expires_in: u32,
    /// Valid for one refresh.
    refresh_token: String,
    /// Seconds until the refresh token expires.
    refresh_expires_in: u32,
}

#[derive(Serialize, ToSchema)]
enum TokenType {
    Bearer,
}

impl TryFrom<Option<pb::Tokens>> for Tokens {
    type Error = Problem;

    fn try_from(tokens: Option<pb::Tokens>) -> Result<Self, Problem> {
        let tokens = tokens.ok_or(Problem::INTERNAL)?;
        Ok(Self {
            access_token: tokens.access_token,
            token_type: TokenType::Bearer,
            expires_in: tokens.expires_in,
            refresh_token: tokens.refresh_token,
            refresh_expires_in: tokens.refresh_expires_in,
        })
    }
}
