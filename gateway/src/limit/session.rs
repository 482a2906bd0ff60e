//! The session that a token names. The token is not verified yet, so the session is used for rate limits only. Requests
//! with invented tokens are limited by address.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::Deserialize;
use uuid::Uuid;

#[derive(Deserialize)]
struct Claims {
    sub: Uuid,
}

/// The `sub` of a JWT.
pub(super) fn of_access_token(token: &str) -> Option<Uuid> {
    let payload = BASE64_URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    serde_json::from_slice::<Claims>(&payload).ok().map(|claims| claims.sub)
}

/// The first 16 of a refresh token's 48 bytes.
pub(super) fn of_refresh_token(token: &str) -> Option<Uuid> {
    let mut bytes = [0; 48];
    match BASE64_URL_SAFE_NO_PAD.decode_slice(token, &mut bytes) {
        Ok(48) => Uuid::from_slice(&bytes[..16]).ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tokens_of_a_session_name_it() {
        let session = Uuid::from_u128(7);
        let claims = BASE64_URL_SAFE_NO_PAD.encode(format!(r#"{{"iss":"epro","sub":"{session}","exp":1}}"#));
        assert_eq!(of_access_token(&format!("header.{claims}.signature")), Some(session));
        let refresh = BASE64_URL_SAFE_NO_PAD.encode([session.as_bytes().as_slice(), &[1; 32]].concat());
        assert_eq!(of_refresh_token(&refresh), Some(session));
    }

    #[test]
    fn what_is_no_token_names_none() {
        for token in ["", "garbage", "a.b.c", "...", "é", &"x".repeat(4000)] {
            assert_eq!((of_access_token(token), of_refresh_token(token)), (None, None), "{token}");
        }
    }
}
