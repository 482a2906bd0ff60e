use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// Counts of ended spans, by what happened to them.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    ended: AtomicU64,
    exported: AtomicU64,
    in_flight: AtomicU64,
    lost: Mutex<BTreeMap<&'static str, u64>>,
}

impl Counts {
    /// Spans that were to be exported.
    pub(crate) fn ended(&self) -> u64 {
        self.ended.load(Ordering::Relaxed)
    }

    /// Spans that the receiver has taken.
    pub(crate) fn exported(&self) -> u64 {
        self.exported.load(Ordering::Relaxed)
    }

    /// Spans that are being sent.
    pub(crate) fn in_flight(&self) -> u64 {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// Lost spans by cause.
    pub(crate) fn lost(&self) -> BTreeMap<&'static str, u64> {
        self.lost.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn end(&self) {
        self.ended.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts spans that were dropped from the buffer of undecided traces because it was full.
    pub(super) fn displace(&self, spans: u64) {
        self.ended.fetch_add(spans, Ordering::Relaxed);
        self.lose("fragments_full", spans);
    }

    pub(super) fn send(&self, spans: u64) {
        self.in_flight.store(spans, Ordering::Relaxed);
    }

    pub(super) fn export(&self, spans: u64) {
        self.exported.fetch_add(spans, Ordering::Relaxed);
    }

    pub(super) fn lose(&self, cause: &'static str, spans: u64) {
        if spans > 0 {
            *self.lost.lock().unwrap_or_else(PoisonError::into_inner).entry(cause).or_default() += spans;
        }
    }
}
