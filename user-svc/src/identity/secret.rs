use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::error::UserError;

/// The hash to store instead of a secret. Random secrets cannot be guessed, so they need neither a salt nor a slow
/// hash.
pub(crate) fn digest(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}

/// 256 random bits from which a refresh token is derived.
pub(crate) struct Seed([u8; 32]);

impl Seed {
    pub(crate) fn random() -> Result<Self, UserError> {
        random_bytes().map(Self)
    }

    pub(crate) fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl TryFrom<Vec<u8>> for Seed {
    type Error = UserError;

    fn try_from(stored: Vec<u8>) -> Result<Self, UserError> {
        stored.try_into().map(Self).map_err(|_| UserError::Corrupt("seed"))
    }
}

impl fmt::Debug for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seed").finish_non_exhaustive()
    }
}

/// A refresh token: the id of its session and 256 bits that cannot be guessed, in base64url. The session id is in it so
/// that the rate limiter can count the requests of one session.
pub(crate) struct RefreshToken(String);

impl RefreshToken {
    /// A session's first token.
    pub(crate) fn first(session_id: Uuid, seed: &Seed) -> Self {
        Self::new(session_id, &seed.0)
    }

    /// The token that follows `token` in the session. The same token and seed always give the same successor. Deriving
    /// it takes both, and only the seed is stored.
    pub(crate) fn successor(session_id: Uuid, token: &str, seed: &Seed) -> Result<Self, UserError> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&seed.0).map_err(|_| UserError::Corrupt("seed"))?;
        mac.update(token.as_bytes());
        Ok(Self::new(session_id, &mac.finalize().into_bytes().into()))
    }

    fn new(session_id: Uuid, secret: &[u8; 32]) -> Self {
        let mut bytes = [0; 48];
        bytes[..16].copy_from_slice(session_id.as_bytes());
        bytes[16..].copy_from_slice(secret);
        Self(URL_SAFE_NO_PAD.encode(bytes))
    }

    pub(crate) fn digest(&self) -> [u8; 32] {
        digest(&self.0)
    }

    /// The token as text, to be sent to its holder only.
    pub(crate) fn reveal(self) -> String {
        self.0
    }
}

impl fmt::Debug for RefreshToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RefreshToken").finish_non_exhaustive()
    }
}

/// An activation code, which a person types once: 100 random bits in letters and digits that are hard to confuse. Held
/// in capitals and without separators.
pub(crate) struct ActivationCode(String);

impl ActivationCode {
    pub(crate) fn random() -> Result<Self, UserError> {
        // Crockford's base 32: https://www.crockford.com/base32.html
        const LETTERS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
        let letters = random_bytes::<20>()?.map(|byte| char::from(LETTERS[usize::from(byte % 32)]));
        Ok(Self(letters.iter().collect()))
    }

    /// A code as a person typed it. Case, blanks and dashes are ignored, also the longer dashes that phones put in.
    pub(crate) fn typed(text: &str) -> Self {
        let means_nothing = |c: char| c.is_whitespace() || matches!(c, '-' | '\u{2010}'..='\u{2015}');
        Self(text.chars().filter(|c| !means_nothing(*c)).map(|c| c.to_ascii_uppercase()).collect())
    }

    pub(crate) fn digest(&self) -> [u8; 32] {
        digest(&self.0)
    }

    /// The code in groups of five, to be shown to its person only.
    pub(crate) fn reveal(&self) -> String {
        let mut shown = String::new();
        for (at, letter) in self.0.chars().enumerate() {
            if at > 0 && at % 5 == 0 {
                shown.push('-');
            }
            shown.push(letter);
        }
        shown
    }
}

fn random_bytes<const N: usize>() -> Result<[u8; N], UserError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(UserError::Random)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_sessions_begin_with_the_same_refresh_token() -> Result<(), UserError> {
        let first = || Ok::<_, UserError>(RefreshToken::first(Uuid::nil(), &Seed::random()?));
        let (one, other) = (first()?, first()?);
        assert_ne!(one.digest(), other.digest());
        // 16 + 32 bytes, 6 bits a character
        assert_eq!(one.reveal().len(), 64);
        Ok(())
    }

    #[test]
    fn a_token_has_one_successor_for_a_seed_and_begins_with_its_session() -> Result<(), UserError> {
        let (seed, other) = (Seed::random()?, Seed::random()?);
        let session_id = Uuid::from_u128(7);
        let successor = |token, seed| Ok::<_, UserError>(RefreshToken::successor(session_id, token, seed)?.reveal());
        assert_eq!(successor("token", &seed)?, successor("token", &seed)?);
        assert_ne!(successor("token", &seed)?, successor("token", &other)?);
        assert_ne!(successor("token", &seed)?, successor("token2", &seed)?);
        let bytes = URL_SAFE_NO_PAD.decode(successor("token", &seed)?).unwrap_or_default();
        assert_eq!(&bytes[..16], session_id.as_bytes());
        Ok(())
    }

    #[test]
    fn an_activation_code_is_four_groups_that_are_easily_typed() -> Result<(), UserError> {
        let code = ActivationCode::random()?.reveal();
        assert_eq!(code.split('-').map(str::len).collect::<Vec<_>>(), [5; 4]);
        assert!(code.chars().all(|c| c == '-' || (c.is_ascii_alphanumeric() && !"ILOU".contains(c))), "{code}");
        Ok(())
    }

    #[test]
    fn a_code_is_good_however_it_is_typed() -> Result<(), UserError> {
        let code = ActivationCode::random()?;
        let shown = code.reveal();
        for typed in [
            shown.clone(),
            shown.to_lowercase(),
            shown.replace('-', ""),
            shown.replace('-', " "),
            shown.replace('-', "\u{2013}"),
            format!(" \u{a0}{shown}\n"),
        ] {
            assert_eq!(ActivationCode::typed(&typed).digest(), code.digest(), "{typed:?}");
        }
        assert_ne!(ActivationCode::typed(&shown[1..]).digest(), code.digest());
        Ok(())
    }

    #[test]
    fn a_debugged_refresh_token_shows_nothing_of_itself() -> Result<(), UserError> {
        let token = RefreshToken::first(Uuid::nil(), &Seed::random()?);
        let debugged = format!("{token:?}");
        assert!(!debugged.contains(&token.reveal()), "{debugged}");
        Ok(())
    }
}
