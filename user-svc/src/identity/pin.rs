use anyhow::Context;
use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use telemetry::Task;
use tokio::sync::Semaphore;

use crate::error::UserError;

/// Checks PINs with argon2id, a bounded number at a time.
#[derive(Debug)]
pub(crate) struct Pins {
    permits: Semaphore,
    /// What the PIN of an unknown login is checked against, so that it takes as long as a known one's.
    nobody: String,
}

impl Pins {
    pub(crate) fn new(concurrent: usize) -> anyhow::Result<Self> {
        let nobody = Argon2::default().hash_password(b"nobody").context("hash a PIN")?.to_string();
        Ok(Self { permits: Semaphore::new(concurrent), nobody })
    }

    /// Whether the PIN belongs to the hash. Without a hash it never does, after the same work.
    pub(crate) async fn verify(&self, pin: String, hash: Option<String>) -> Result<bool, UserError> {
        let known = hash.is_some();
        let hash = hash.unwrap_or_else(|| self.nobody.clone());
        // The semaphore is never closed.
        let _permit = self.permits.acquire().await.map_err(|_| UserError::Corrupt("semaphore"))?;
        let matches = Task::internal("verify pin").spawn_blocking(move || matches(&pin, &hash)).await;
        Ok(matches.map_err(|_| UserError::Corrupt("PIN"))?? && known)
    }
}

fn matches(pin: &str, hash: &str) -> Result<bool, UserError> {
    let hash = PasswordHash::new(hash).map_err(|_| UserError::Corrupt("PIN hash"))?;
    Ok(Argon2::default().verify_password(pin.as_bytes(), &hash).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_right_pin_of_a_known_login_is_accepted() -> anyhow::Result<()> {
        let pins = Pins::new(1)?;
        let hash = Argon2::default().hash_password(b"246801")?.to_string();
        assert!(pins.verify("246801".to_owned(), Some(hash.clone())).await?);
        assert!(!pins.verify("246802".to_owned(), Some(hash)).await?);
        assert!(!pins.verify("nobody".to_owned(), None).await?);
        Ok(())
    }
}
