use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::time::{MissedTickBehavior, interval};

use crate::Shutdown;

/// Runs `work` at once, and then once in every `period` until shutdown, which also cancels a running round. A round
/// that panics is followed by the next one. The work belongs to no request and mostly finds nothing to do, so it makes
/// no spans.
pub async fn every<F: Future<Output = ()>>(period: Duration, shutdown: &Shutdown, mut work: impl FnMut() -> F) {
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let rounds = async {
        loop {
            ticks.tick().await;
            // After a round that took longer than a period, the next tick is due at once, before a shutdown is noticed.
            if shutdown.is_cancelled() {
                return;
            }
            catch_panic(telemetry::unsampled(work())).await;
        }
    };
    shutdown.run_until_cancelled(rounds).await;
}

/// Runs one round of a background job; `None` if it panics. Without this, the panic would end the service, and its
/// running work and spans would be lost. The panic hook has logged the panic before.
pub async fn catch_panic<T>(round: impl Future<Output = T>) -> Option<T> {
    AssertUnwindSafe(round).catch_unwind().await.ok()
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::future::pending;

    use super::*;

    #[tokio::test]
    async fn housekeeping_is_done_at_once_and_again_until_told_to_stop() {
        let (shutdown, rounds) = (Shutdown::new(), Cell::new(0));
        let work = || async {
            rounds.set(rounds.get() + 1);
            if rounds.get() == 3 {
                shutdown.cancel();
            }
        };
        every(Duration::from_millis(1), &shutdown, work).await;
        assert_eq!(rounds.get(), 3);
    }

    #[tokio::test]
    async fn a_round_that_panics_is_followed_by_the_next_one() {
        let (shutdown, rounds) = (Shutdown::new(), Cell::new(0));
        let work = || async {
            rounds.set(rounds.get() + 1);
            assert!(rounds.get() > 1, "the first round");
            shutdown.cancel();
        };
        every(Duration::from_millis(1), &shutdown, work).await;
        assert_eq!(rounds.get(), 2);
    }

    #[tokio::test]
    async fn what_is_under_way_does_not_hold_up_the_end() {
        let shutdown = Shutdown::new();
        let work = || async {
            shutdown.cancel();
            pending::<()>().await;
        };
        every(Duration::from_hours(1), &shutdown, work).await;
    }
}
