use std::num::NonZeroUsize;
use std::sync::Arc;

use anyhow::Context;
use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use telemetry::Task;
use tokio::sync::Semaphore;

use super::NewPin;
use crate::error::UserError;

/// Verifies and hashes PINs with argon2id. A semaphore limits how many at once, as each takes 19 MiB and a core.
#[derive(Debug)]
pub(crate) struct Pins {
    permits: Arc<Semaphore>,
    /// The hash to check against for an unknown login, so that it takes as long as for a known one.
    nobody: String,
}

impl Pins {
    pub(crate) fn new(concurrent: NonZeroUsize) -> anyhow::Result<Self> {
        let nobody = Argon2::default().hash_password(b"nobody").context("hash a PIN")?.to_string();
        Ok(Self { permits: Arc::new(Semaphore::new(concurrent.get())), nobody })
    }

    /// Whether the PIN matches the hash. Without a hash the answer is no, after the same amount of work.
    pub(crate) async fn verify(&self, pin: String, hash: Option<String>) -> Result<bool, UserError> {
        let known = hash.is_some();
        let hash = hash.unwrap_or_else(|| self.nobody.clone());
        let matches = self.bounded(Task::internal("verify pin"), move || matches(&pin, &hash)).await?;
        Ok(matches && known)
    }

    /// The hash to store, in PHC string format.
    pub(crate) async fn hash(&self, pin: NewPin) -> Result<String, UserError> {
        let hash = move || Argon2::default().hash_password(pin.as_bytes()).map(|hash| hash.to_string());
        self.bounded(Task::internal("hash pin"), move || hash().map_err(|_| UserError::Corrupt("PIN"))).await
    }

    async fn bounded<T: Send + 'static>(
        &self,
        task: Task,
        work: impl FnOnce() -> Result<T, UserError> + Send + 'static,
    ) -> Result<T, UserError> {
        // The semaphore is never closed.
        let permit = Arc::clone(&self.permits).acquire_owned().await.map_err(|_| UserError::Corrupt("semaphore"))?;
        let done = task.spawn_blocking(move || {
            // The permit moves into the work, because the work goes on even when the caller was cancelled.
            let _permit = permit;
            work()
        });
        done.await.map_err(|_| UserError::Corrupt("PIN"))?
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

    #[tokio::test]
    async fn a_chosen_pin_is_the_right_one_later_on() -> anyhow::Result<()> {
        let pins = Pins::new(NonZeroUsize::MIN)?;
        let hash = pins.hash(NewPin::parse("246801".to_owned())?).await?;
        assert!(pins.verify("246801".to_owned(), Some(hash)).await?);
        Ok(())
    }
}
