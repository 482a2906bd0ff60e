use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use crate::error::UserError;

/// What is stored of a secret. A random one needs no salt and no slow hash: there is nothing to guess.
pub(crate) fn digest(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}

/// A token for the next pair of tokens: 256 random bits, base64url.
pub(crate) struct RefreshToken(String);

impl RefreshToken {
    pub(crate) fn random() -> Result<Self, UserError> {
        Ok(Self(URL_SAFE_NO_PAD.encode(random_bytes::<32>()?)))
    }

    pub(crate) fn digest(&self) -> [u8; 32] {
        digest(&self.0)
    }

    /// The token itself, for its holder alone.
    pub(crate) fn reveal(self) -> String {
        self.0
    }
}

impl fmt::Debug for RefreshToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RefreshToken").finish_non_exhaustive()
    }
}

/// A code that a person types once: 100 random bits, without letters that look like digits. Kept in capitals
/// and without anything between them.
pub(crate) struct ActivationCode(String);

impl ActivationCode {
    pub(crate) fn random() -> Result<Self, UserError> {
        // Crockford's base 32: https://www.crockford.com/base32.html
        const LETTERS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
        let letters = random_bytes::<20>()?.map(|byte| char::from(LETTERS[usize::from(byte % 32)]));
        Ok(Self(letters.iter().collect()))
    }

    /// What somebody took for a code. Case, blanks and dashes, which a phone may make longer, mean nothing.
    pub(crate) fn typed(text: &str) -> Self {
        let means_nothing = |c: char| c.is_whitespace() || matches!(c, '-' | '\u{2010}'..='\u{2015}');
        Self(text.chars().filter(|c| !means_nothing(*c)).map(|c| c.to_ascii_uppercase()).collect())
    }

    pub(crate) fn digest(&self) -> [u8; 32] {
        digest(&self.0)
    }

    /// The code itself in groups of five, for its person alone.
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
    fn no_two_refresh_tokens_are_the_same() -> Result<(), UserError> {
        let (one, other) = (RefreshToken::random()?, RefreshToken::random()?);
        assert_ne!(one.digest(), other.digest());
        // 256 bits at 6 a character
        assert_eq!(one.reveal().len(), 43);
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
        let token = RefreshToken::random()?;
        let debugged = format!("{token:?}");
        assert!(!debugged.contains(&token.reveal()), "{debugged}");
        Ok(())
    }
}
