//! The entries that a test double has recorded, with a way to wait for more.

use std::time::Duration;

use anyhow::bail;
use tokio::sync::watch;
use tokio::time::timeout;

const CAPACITY: usize = 100_000;

/// The entries a sink recorded, oldest first. Beyond 100,000 the older half is forgotten.
#[derive(Debug)]
pub struct Journal<T> {
    entries: watch::Sender<Vec<T>>,
}

impl<T> Default for Journal<T> {
    fn default() -> Self {
        Self { entries: watch::Sender::new(Vec::new()) }
    }
}

impl<T: Clone + std::fmt::Debug> Journal<T> {
    /// Adds an entry and wakes the waiting tasks.
    pub fn record(&self, entry: T) {
        self.entries.send_modify(|entries| {
            if entries.len() == CAPACITY {
                entries.drain(..CAPACITY / 2);
            }
            entries.push(entry);
        });
    }

    /// Everything recorded so far.
    pub fn all(&self) -> Vec<T> {
        self.entries.borrow().clone()
    }

    /// Waits until `enough` holds for the recorded entries and returns them.
    ///
    /// # Errors
    /// When the deadline passes first; the message lists what was recorded.
    pub async fn wait_until(&self, deadline: Duration, enough: impl Fn(&[T]) -> bool) -> anyhow::Result<Vec<T>> {
        let mut entries = self.entries.subscribe();
        if let Ok(Ok(entries)) = timeout(deadline, entries.wait_for(|entries| enough(entries))).await {
            return Ok(entries.clone());
        }
        let seen = self.all();
        bail!("not seen within {deadline:?}; recorded so far ({}): {seen:#?}", seen.len())
    }
}
