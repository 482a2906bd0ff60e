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
    all_logins: PerSecond,
    access_token: PerSecond,
    refresh_token: PerMinute,
    all_activations: PerSecond,
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
    all_logins: DefaultDirectRateLimiter,
    access_token: Keyed,
    refresh_token: Keyed,
    all_activations: DefaultDirectRateLimiter,
}

impl Rates {
    pub(crate) fn new(limits: RateLimits) -> Self {
        Self {
            login: Keyed::new(limits.login.into(), DefaultClock::default()),
            all_logins: RateLimiter::direct(limits.all_logins.into()),
            access_token: Keyed::new(limits.access_token.into(), DefaultClock::default()),
            refresh_token: Keyed::new(limits.refresh_token.into(), DefaultClock::default()),
            all_activations: RateLimiter::direct(limits.all_activations.into()),
        }
    }

    /// Counts an attempt to log in, whether or not there is such a login. What is too much for the login does
    /// not count for everybody, so that who guesses at one login keeps nobody else out.
    pub(crate) fn login(&self, login: &str) -> Result<(), Problem> {
        self.login.check(login).map_err(Problem::throttled)?;
        check(&self.all_logins)
    }

    /// Counts a request with an access token, whether or not it is any good: to find that out costs the most.
    pub(crate) fn access_token(&self, token: &str) -> Result<(), Problem> {
        self.access_token.check(token).map_err(Problem::throttled)
    }

    /// Counts a refresh.
    pub(crate) fn refresh_token(&self, token: &str) -> Result<(), Problem> {
        self.refresh_token.check(token).map_err(Problem::throttled)
    }

    /// Counts an activation. One budget for all, because every code that is guessed at is another one.
    pub(crate) fn activation(&self) -> Result<(), Problem> {
        check(&self.all_activations)
    }
}

fn check(everybody: &DefaultDirectRateLimiter) -> Result<(), Problem> {
    let now = everybody.clock().now();
    everybody.check().map_err(|refusal| Problem::throttled(refusal.wait_time_from(now)))
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
    fn guesses_beyond_one_logins_budget_are_not_taken_from_everybodys() {
        let [one, two, three] = [1, 2, 3].map(|number| NonZeroU32::new(number).unwrap());
        let each = PerMinute { per_minute: one, burst: two };
        let all = PerSecond { per_second: one, burst: three };
        let rates = Rates::new(RateLimits {
            login: each,
            all_logins: all,
            access_token: all,
            refresh_token: each,
            all_activations: all,
        });
        let passed = (0..10).filter(|_| rates.login("one").is_ok()).count();
        assert_eq!(passed, 2, "as many as the login's burst has");
        // Should a name share a key with "one" by chance, the next has one of its own.
        let passed = ["two", "three", "four"].iter().filter(|login| rates.login(login).is_ok()).count();
        assert_eq!(passed, 1, "what is left of everybody's burst");
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
