use std::hash::{BuildHasher, RandomState};
use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::middleware::NoOpMiddleware;
use governor::state::keyed::HashMapStateStore;
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use serde::Deserialize;

use crate::problem::Problem;

/// Keys that one kind of limit tells apart. It bounds the memory, some 8 MiB each, whatever is sent, without
/// a sweep and without turning away whoever is new. Who shares a key shares its budget: by chance one
/// login in 262,144, and nobody can aim at it, because a random secret of the process makes the keys.
const KEYS: u64 = 1 << 18;

/// The block `rate_limits`. A burst may come at once; then it goes on at the rate.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RateLimits {
    login: PerMinute,
    session: PerSecond,
    anonymous: PerSecond,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
struct PerMinute {
    per_minute: NonZeroU32,
    burst: NonZeroU32,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
struct PerSecond {
    per_second: NonZeroU32,
    burst: NonZeroU32,
}

impl From<PerMinute> for Quota {
    fn from(limit: PerMinute) -> Self {
        Self::per_minute(limit.per_minute).allow_burst(limit.burst)
    }
}

impl From<PerSecond> for Quota {
    fn from(limit: PerSecond) -> Self {
        Self::per_second(limit.per_second).allow_burst(limit.burst)
    }
}

/// How often something may still be asked for, in this copy of the gateway.
#[derive(Debug)]
pub(crate) struct Rates {
    login: Keyed,
    session: Keyed,
    anonymous: DefaultDirectRateLimiter,
}

impl Rates {
    pub(crate) fn new(limits: RateLimits) -> Self {
        Self {
            login: Keyed::new(limits.login.into(), DefaultClock::default()),
            session: Keyed::new(limits.session.into(), DefaultClock::default()),
            anonymous: RateLimiter::direct(limits.anonymous.into()),
        }
    }

    /// Counts an attempt to log in, whether or not there is such a login.
    pub(crate) fn login(&self, login: &str) -> Result<(), Problem> {
        self.login.check(login).map_err(Problem::throttled)
    }

    /// Counts a request of a session.
    pub(crate) fn session(&self, session_id: &str) -> Result<(), Problem> {
        self.session.check(session_id).map_err(Problem::throttled)
    }

    /// Counts a request with a secret that belongs to nobody yet: an activation code or a refresh token.
    pub(crate) fn anonymous(&self) -> Result<(), Problem> {
        let now = self.anonymous.clock().now();
        self.anonymous.check().map_err(|refusal| Problem::throttled(refusal.wait_time_from(now)))
    }
}

/// A budget for each of many subjects.
#[derive(Debug)]
struct Keyed<C: Clock = DefaultClock> {
    limiter: RateLimiter<u64, HashMapStateStore<u64>, C, NoOpMiddleware<C::Instant>>,
    secret: RandomState,
}

impl<C: Clock> Keyed<C> {
    fn new(quota: Quota, clock: C) -> Self {
        Self { limiter: RateLimiter::new(quota, HashMapStateStore::default(), clock), secret: RandomState::new() }
    }

    /// How long to wait, if it is too much.
    fn check(&self, subject: &str) -> Result<(), Duration> {
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

    fn limiter(per_minute: u32, burst: u32) -> (Keyed<FakeRelativeClock>, FakeRelativeClock) {
        let [per_minute, burst] = [per_minute, burst].map(|number| NonZeroU32::new(number).unwrap());
        let clock = FakeRelativeClock::default();
        (Keyed::new(PerMinute { per_minute, burst }.into(), clock.clone()), clock)
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
            let _ = limiter.check(&number.to_string());
        }
        let keys = u64::try_from(limiter.limiter.len()).unwrap();
        assert!((KEYS / 2..=KEYS).contains(&keys), "{keys}");
    }
}
