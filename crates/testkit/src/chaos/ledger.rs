use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::copies::COPIES;

/// What the phones were told, as the truth to compare the database with.
#[derive(Debug, Default)]
pub(super) struct Ledger(Mutex<Entries>);

#[derive(Debug, Default, Clone)]
pub(super) struct Entries {
    /// Report ids by the key they were acknowledged under.
    pub(super) acknowledged: BTreeMap<String, String>,
    /// Requests that had to be sent again.
    pub(super) retries: usize,
    /// Answers that no retry would change.
    pub(super) refused: Vec<String>,
    /// How long each acknowledgement took, from the first request on.
    pub(super) waits: Vec<Duration>,
    /// When each gateway last acknowledged one.
    last: [Option<Instant>; COPIES],
}

impl Ledger {
    pub(super) fn acknowledge(&self, key: String, report_id: String, wait: Duration, gateway: usize) {
        let mut entries = self.lock();
        entries.last[gateway] = Some(Instant::now());
        entries.acknowledged.insert(key, report_id);
        entries.waits.push(wait);
    }

    /// Whether each gateway has acknowledged a report after `time`.
    pub(super) fn acknowledged_since(&self, time: Instant) -> bool {
        self.lock().last.iter().all(|last| last.is_some_and(|last| last > time))
    }

    pub(super) fn retry(&self) {
        self.lock().retries += 1;
    }

    pub(super) fn refuse(&self, answer: String) {
        self.lock().refused.push(answer);
    }

    pub(super) fn entries(&self) -> Entries {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Entries> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
