use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::copies::COPIES;

/// What the gateways answered to the phones. The database is compared with it.
#[derive(Debug, Default)]
pub(super) struct Ledger(Mutex<Entries>);

#[derive(Debug, Default, Clone)]
pub(super) struct Entries {
    /// The acknowledged report ids, by idempotency key.
    pub(super) acknowledged: BTreeMap<String, String>,
    /// Requests that were retried.
    pub(super) retries: usize,
    /// Answers that a retry would not change.
    pub(super) refused: Vec<String>,
    /// The time from the first request of a report to its acknowledgement.
    pub(super) waits: Vec<Duration>,
    /// The time of each gateway's last acknowledgement.
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
