use std::num::NonZeroUsize;
use std::sync::Arc;

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
    permits: Arc<Semaphore>,
    /// What the PIN of an unknown login is checked against, so that it takes as long as a known one's.
    nobody: String,
}

impl Pins {
    pub(crate) fn new(concurrent: NonZeroUsize) -> anyhow::Result<Self> {
        let nobody = Argon2::default().hash_password(b"nobody").context("hash a PIN")?.to_string();
        Ok(Self { permits: Arc::new(Semaphore::new(concurrent.get())), nobody })
    }

    /// Whether the PIN belongs to the hash. Without a hash it never does, after the same work.
    pub(crate) async fn verify(&self, pin: String, hash: Option<String>) -> Result<bool, UserError> {
        let known = hash.is_some();
        let hash = hash.unwrap_or_else(|| self.nobody.clone());
        // The semaphore is never closed.
        let permit = Arc::clone(&self.permits).acquire_owned().await.map_err(|_| UserError::Corrupt("semaphore"))?;
        let task = Task::internal("verify pin").spawn_blocking(move || {
            // Held by the work itself, which goes on when its caller has left.
            let _permit = permit;
            matches(&pin, &hash)
        });
        let matches = task.await;
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
        let pins = Pins::new(NonZeroUsize::MIN)?;
        let hash = Argon2::default().hash_password(b"246801")?.to_string();
        assert!(pins.verify("246801".to_owned(), Some(hash.clone())).await?);
        assert!(!pins.verify("246802".to_owned(), Some(hash)).await?);
        assert!(!pins.verify("nobody".to_owned(), None).await?);
        Ok(())
    }
}
