use std::hash::{BuildHasher, Hash, RandomState};
use std::net::IpAddr;
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::middleware::NoOpMiddleware;
use governor::state::keyed::HashMapStateStore;
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use service_kit::http::networks_of;

use crate::problem::Problem;

/// Number of keys of one kind of limit. It bounds the memory of each limit to about 8 MiB, whatever clients send,
/// without a cleanup and without refusing new subjects. Subjects with the same key share its budget. The chance that
/// two subjects share a key is 1 in 262,144, and nobody can bring it about, because the hash uses a random secret of
/// the process.
const KEYS: u64 = 1 << 18;

/// One budget that all clients share.
#[derive(Debug)]
pub(super) struct Shared(DefaultDirectRateLimiter);

impl Shared {
    pub(super) fn new(quota: Quota) -> Self {
        Self(RateLimiter::direct(quota))
    }

    /// Counts one request, or fails with the time to wait.
    pub(super) fn count(&self) -> Result<(), Problem> {
        let now = self.0.clock().now();
        self.0.check().map_err(|refusal| Problem::throttled(refusal.wait_time_from(now)))
    }
}

/// The key of a subject's budget in [`Each`].
#[derive(Debug, Clone, Copy)]
pub(super) struct Key(u64);

impl Key {
    pub(super) const BITS: u32 = KEYS.trailing_zeros();
    /// For a known subject that has no budget.
    pub(super) const NOBODYS: Self = Self(0);

    pub(super) fn from_bits(bits: u64) -> Self {
        Self(bits % KEYS)
    }

    pub(super) fn to_bits(self) -> u64 {
        self.0
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

    /// Counts one request of the subject, or fails with the time to wait.
    pub(super) fn count(&self, subject: impl Hash) -> Result<(), Problem> {
        self.count_key(self.key(subject))
    }

    /// Counts one request of the subject with this key, or fails with the time to wait.
    pub(super) fn count_key(&self, key: Key) -> Result<(), Problem> {
        self.check(key).map_err(Problem::throttled)
    }
}

/// A budget for each client's network: an IPv4 address, or a /64 of IPv6. All networks in a /48 share another one.
#[derive(Debug)]
pub(super) struct EachAddress {
    client: Each,
    subscriber: Each,
}

impl EachAddress {
    pub(super) fn new(client: Quota, subscriber: Quota) -> Self {
        Self { client: Each::new(client), subscriber: Each::new(subscriber) }
    }

    /// Counts one request from the address, or fails with the time to wait. A request that the budget of the narrow
    /// network refuses does not count for the wide network.
    pub(super) fn count(&self, address: IpAddr) -> Result<(), Problem> {
        let budgets = [&self.client, &self.subscriber];
        budgets.into_iter().zip(networks_of(address)).try_for_each(|(budget, network)| budget.count(network))
    }
}

impl<C: Clock> Each<C> {
    fn with_clock(quota: Quota, clock: C) -> Self {
        Self { limiter: RateLimiter::new(quota, HashMapStateStore::default(), clock), secret: RandomState::new() }
    }

    pub(super) fn key(&self, subject: impl Hash) -> Key {
        Key::from_bits(self.secret.hash_one(subject))
    }

    /// Counts one request, or fails with the time to wait.
    fn check(&self, Key(key): Key) -> Result<(), Duration> {
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
            assert_eq!(limiter.check(limiter.key("someone")), Ok(()));
        }
        assert_eq!(
            limiter.check(limiter.key("someone")),
            Err(Duration::from_secs(6)),
            "ten a minute are one in six seconds"
        );
        clock.advance(Duration::from_millis(5_500));
        assert_eq!(limiter.check(limiter.key("someone")), Err(Duration::from_millis(500)), "a refusal costs nothing");
        clock.advance(Duration::from_millis(500));
        assert_eq!(limiter.check(limiter.key("someone")), Ok(()));
        assert!(limiter.check(limiter.key("someone")).is_err());
    }

    #[test]
    fn one_subject_does_not_use_up_anothers_budget() {
        let (limiter, _) = limiter(1, 1);
        assert_eq!(limiter.check(limiter.key("one")), Ok(()));
        assert!(limiter.check(limiter.key("one")).is_err());
        // One of these may share the key of the first by chance, but not all of them.
        assert!(["two", "three", "four"].iter().any(|subject| limiter.check(limiter.key(subject)).is_ok()));
    }

    #[test]
    fn the_number_of_keys_has_a_bound() {
        let (limiter, _) = limiter(1, 1);
        for number in 0..3 * KEYS {
            let _ = limiter.check(limiter.key(number));
        }
        let keys = u64::try_from(limiter.limiter.len()).unwrap();
        assert!((KEYS / 2..=KEYS).contains(&keys), "{keys}");
    }
}
