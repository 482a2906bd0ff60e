use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Limits how many deliveries run at the same time, and how many first deliveries wait. First deliveries get three
/// quarters of the permits at most, so that late deliveries make progress even while new reports keep coming in.
#[derive(Debug)]
pub(crate) struct Bulkhead {
    /// First deliveries that wait or run.
    queue: Arc<Semaphore>,
    /// First deliveries that run.
    firsts: Arc<Semaphore>,
    /// Deliveries that run.
    all: Arc<Semaphore>,
    /// Whether a first delivery found no place since the last [`Bulkhead::take_overflow`].
    overflowed: AtomicBool,
}

/// Held by a first delivery while it runs.
#[derive(Debug)]
pub(crate) struct Running {
    _first: OwnedSemaphorePermit,
    _one: OwnedSemaphorePermit,
}

impl Bulkhead {
    pub(crate) fn new(concurrency: NonZeroU32, queue: u32) -> Self {
        let semaphore = |permits: u32| Arc::new(Semaphore::new(permits.try_into().unwrap_or(Semaphore::MAX_PERMITS)));
        let all = concurrency.get();
        Self {
            queue: semaphore(all.saturating_add(queue)),
            firsts: semaphore(all - all / 4),
            all: semaphore(all),
            overflowed: AtomicBool::new(false),
        }
    }

    /// A place in the queue of the first deliveries, if there is one left.
    pub(crate) fn enqueue(&self) -> Option<OwnedSemaphorePermit> {
        let place = Arc::clone(&self.queue).try_acquire_owned().ok();
        if place.is_none() {
            self.overflowed.store(true, Ordering::Relaxed);
        }
        place
    }

    /// Whether a first delivery found no place since the last call.
    pub(crate) fn take_overflow(&self) -> bool {
        self.overflowed.swap(false, Ordering::Relaxed)
    }

    /// Waits for a first delivery's turn, in order of arrival. `None` after [`Bulkhead::close`].
    pub(crate) async fn start_first(&self) -> Option<Running> {
        let first = Arc::clone(&self.firsts).acquire_owned().await.ok()?;
        Some(Running { _first: first, _one: Arc::clone(&self.all).acquire_owned().await.ok()? })
    }

    /// Permits for as many late deliveries as may run now, `limit` at most; waits until there is at least one. `None`
    /// after [`Bulkhead::close`].
    pub(crate) async fn start_due(&self, limit: u32) -> Option<OwnedSemaphorePermit> {
        let mut permits = Arc::clone(&self.all).acquire_owned().await.ok()?;
        let more = u32::try_from(self.all.available_permits()).unwrap_or(u32::MAX).min(limit.saturating_sub(1));
        if let Ok(more) = Arc::clone(&self.all).try_acquire_many_owned(more) {
            permits.merge(more);
        }
        Some(permits)
    }

    /// From now on no delivery starts, not even one that waits already. Running deliveries go on.
    pub(crate) fn close(&self) {
        for semaphore in [&self.queue, &self.firsts, &self.all] {
            semaphore.close();
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn bulkhead(concurrency: u32) -> Bulkhead {
        Bulkhead::new(NonZeroU32::new(concurrency).unwrap(), 1)
    }

    fn start_first(bulkhead: &Bulkhead) -> Option<Running> {
        bulkhead.start_first().now_or_never().flatten()
    }

    #[test]
    fn a_late_delivery_finds_room_however_many_first_ones_wait() {
        let bulkhead = bulkhead(4);
        let running: Vec<_> = std::iter::from_fn(|| start_first(&bulkhead)).take(9).collect();
        assert_eq!(running.len(), 3);
        assert_eq!(bulkhead.start_due(400).now_or_never().flatten().unwrap().num_permits(), 1);
    }

    #[test]
    fn late_deliveries_may_have_all_the_room_there_is() {
        let bulkhead = bulkhead(4);
        let late = bulkhead.start_due(400).now_or_never().flatten().unwrap();
        assert_eq!(late.num_permits(), 4);
        assert!(start_first(&bulkhead).is_none());
        drop(late);
        assert!(start_first(&bulkhead).is_some());
    }

    #[test]
    fn a_single_one_at_a_time_is_whoever_comes_first() {
        let bulkhead = bulkhead(1);
        let first = start_first(&bulkhead).unwrap();
        assert!(bulkhead.start_due(1).now_or_never().is_none());
        drop(first);
        assert!(bulkhead.start_due(1).now_or_never().flatten().is_some());
    }

    #[test]
    fn there_are_so_many_places_to_wait_and_no_more() {
        let bulkhead = bulkhead(2);
        let queue: Vec<_> = (0..3).map_while(|_| bulkhead.enqueue()).collect();
        assert_eq!((queue.len(), bulkhead.take_overflow()), (3, false));
        assert!(bulkhead.enqueue().is_none());
        assert!(bulkhead.take_overflow() && !bulkhead.take_overflow(), "it is said once");
    }

    #[tokio::test]
    async fn once_closed_nothing_begins_that_has_waited() {
        let bulkhead = bulkhead(1);
        let running = start_first(&bulkhead).unwrap();
        let closing = async { bulkhead.close() };
        let (waited, ()) = tokio::join!(bulkhead.start_first(), closing);
        assert!(waited.is_none());
        drop(running);
        assert!(
            bulkhead.enqueue().is_none()
                && bulkhead.start_first().await.is_none()
                && bulkhead.start_due(1).await.is_none()
        );
    }
}
