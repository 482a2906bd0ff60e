use std::hash::{BuildHasher, Hash, RandomState};
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::middleware::NoOpMiddleware;
use governor::state::keyed::HashMapStateStore;
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};

use crate::problem::Problem;

/// Keys that one kind of limit tells apart. It bounds the memory, some 8 MiB each, whatever is sent, without
/// a sweep and without turning away whoever is new. Who shares a key shares its budget: by chance one
/// login in 262,144, and nobody can aim at it, because a random secret of the process makes the keys.
const KEYS: u64 = 1 << 18;

/// One budget for everybody.
#[derive(Debug)]
pub(super) struct Shared(DefaultDirectRateLimiter);

impl Shared {
    pub(super) fn new(quota: Quota) -> Self {
        Self(RateLimiter::direct(quota))
    }

    /// Counts one, or says how long to wait.
    pub(super) fn count(&self) -> Result<(), Problem> {
        let now = self.0.clock().now();
        self.0.check().map_err(|refusal| Problem::throttled(refusal.wait_time_from(now)))
    }
}

/// A budget for each of many subjects.
#[derive(Debug)]
pub(super) struct Each<C: Clock = DefaultClock> {
    limiter: RateLimiter<u64, HashMapStateStore<u64>, C, NoOpMiddleware<C::Instant>>,
    secret: RandomState,
}

impl Each {
    pub(super) fn new(quota: Quota) -> Self {
        Self::with_clock(quota, DefaultClock::default())
    }

    /// Counts one of the subject's, or says how long to wait.
    pub(super) fn count(&self, subject: impl Hash) -> Result<(), Problem> {
        self.check(subject).map_err(Problem::throttled)
    }
}

impl<C: Clock> Each<C> {
    fn with_clock(quota: Quota, clock: C) -> Self {
        Self { limiter: RateLimiter::new(quota, HashMapStateStore::default(), clock), secret: RandomState::new() }
    }

    /// How long to wait, if it is too much.
    fn check(&self, subject: impl Hash) -> Result<(), Duration> {
        let key = self.secret.hash_one(subject) % KEYS;
        let now = self.limiter.clock().now();
        self.limiter.check_key(&key).map_err(|refusal| refusal.wait_time_from(now))
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use governor::clock::FakeRelativeClock;

    use super::*;

    fn limiter(per_minute: u32, burst: u32) -> (Each<FakeRelativeClock>, FakeRelativeClock) {
        let [per_minute, burst] = [per_minute, burst].map(|number| NonZeroU32::new(number).unwrap());
        let clock = FakeRelativeClock::default();
        (Each::with_clock(Quota::per_minute(per_minute).allow_burst(burst), clock.clone()), clock)
    }

    #[test]
    fn a_burst_passes_and_the_next_one_is_told_when_to_come_back() {
        let (limiter, clock) = limiter(10, 3);
        for _ in 0..3 {
            assert_eq!(limiter.check("someone"), Ok(()));
        }
        assert_eq!(limiter.check("someone"), Err(Duration::from_secs(6)), "ten a minute are one in six seconds");
        clock.advance(Duration::from_millis(5_500));
        assert_eq!(limiter.check("someone"), Err(Duration::from_millis(500)), "a refusal costs nothing");
        clock.advance(Duration::from_millis(500));
        assert_eq!(limiter.check("someone"), Ok(()));
        assert!(limiter.check("someone").is_err());
    }

    #[test]
    fn one_subject_does_not_use_up_anothers_budget() {
        let (limiter, _) = limiter(1, 1);
        assert_eq!(limiter.check("one"), Ok(()));
        assert!(limiter.check("one").is_err());
        // Two of these may share a key by chance, but not all of them one with the first.
        assert!(["two", "three", "four"].iter().any(|subject| limiter.check(subject).is_ok()));
    }

    #[test]
    fn the_number_of_keys_has_a_bound() {
        let (limiter, _) = limiter(1, 1);
        for number in 0..3 * KEYS {
            let _ = limiter.check(number);
        }
        let keys = u64::try_from(limiter.limiter.len()).unwrap();
        assert!((KEYS / 2..=KEYS).contains(&keys), "{keys}");
    }
}
