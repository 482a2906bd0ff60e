//! A circuit breaker.
//!
//! Written here because the existing crates wrap a single call and refuse it. Here the state is needed before any call,
//! to decide which notifications to claim.

use std::num::NonZeroU32;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::Deserialize;

/// The `breaker:` block. Each provider has its own circuit in each copy of the service.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// Temporary failures in a row after which the circuit opens.
    failures: NonZeroU32,
    /// How long the circuit is open before one message probes the provider.
    #[serde(with = "humantime_serde")]
    open_for: Duration,
}

/// The state of a provider's circuit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Circuit {
    /// The provider works, and gets all messages.
    Closed,
    /// The provider gets one message, the probe, which shows whether it works again.
    HalfOpen,
    /// The provider gets no messages.
    Open,
}

/// How an answer has changed the circuit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    Opened,
    Closed,
}

/// The circuit breaker of one provider.
#[derive(Debug)]
pub(crate) struct Breaker {
    config: Config,
    state: Mutex<State>,
}

#[derive(Debug, Clone, Copy)]
enum State {
    /// Holds the number of failures in a row.
    Closed { failures: u32 },
    /// Half open from `until` on.
    Open { until: Instant },
}

impl Breaker {
    pub(crate) fn new(config: Config) -> Self {
        Self { config, state: Mutex::new(State::Closed { failures: 0 }) }
    }

    pub(crate) fn circuit(&self, now: Instant) -> Circuit {
        match *self.state() {
            State::Closed { .. } => Circuit::Closed,
            State::Open { until } if until <= now => Circuit::HalfOpen,
            State::Open { .. } => Circuit::Open,
        }
    }

    /// Notes that the probe is on its way: no other message follows until it is answered, or `open_for` is over.
    pub(crate) fn probe(&self, now: Instant) {
        let mut state = self.state();
        if let State::Open { until } = &mut *state {
            *until = now + self.config.open_for;
        }
    }

    /// Notes that the probe has shown nothing about the provider: another one may follow at once.
    pub(crate) fn probe_again(&self, now: Instant) {
        let mut state = self.state();
        if let State::Open { until } = &mut *state {
            *until = now;
        }
    }

    /// How long a message must wait; `None` when it may be sent.
    pub(crate) fn wait(&self, now: Instant) -> Option<Duration> {
        match *self.state() {
            State::Closed { .. } => None,
            State::Open { until } => Some(until.saturating_duration_since(now)),
        }
    }

    /// Records the result of a message. Returns how it has changed the circuit.
    pub(crate) fn record(&self, is_well: bool, now: Instant) -> Option<Change> {
        let mut state = self.state();
        let open = State::Open { until: now + self.config.open_for };
        let (next, change) = match *state {
            State::Closed { .. } if is_well => (State::Closed { failures: 0 }, None),
            State::Closed { failures } if failures + 1 < self.config.failures.get() => {
                (State::Closed { failures: failures + 1 }, None)
            }
            State::Closed { .. } => (open, Some(Change::Opened)),
            State::Open { .. } if is_well => (State::Closed { failures: 0 }, Some(Change::Closed)),
            State::Open { .. } => (open, None),
        };
        *state = next;
        change
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPEN_FOR: Duration = Duration::from_secs(30);

    fn breaker() -> (Breaker, Instant) {
        let failures = NonZeroU32::new(3).unwrap();
        (Breaker::new(Config { failures, open_for: OPEN_FOR }), Instant::now())
    }

    fn opened() -> (Breaker, Instant) {
        let (breaker, now) = breaker();
        assert_eq!([0; 3].map(|_| breaker.record(false, now)), [None, None, Some(Change::Opened)]);
        (breaker, now)
    }

    #[test]
    fn failures_that_are_not_in_a_row_keep_it_closed() {
        let (breaker, now) = breaker();
        for is_well in [false, false, true, false, false] {
            assert_eq!(breaker.record(is_well, now), None);
        }
        assert_eq!((breaker.circuit(now), breaker.wait(now)), (Circuit::Closed, None));
    }

    #[test]
    fn enough_failures_in_a_row_open_it_for_a_while() {
        let (breaker, now) = opened();
        assert_eq!((breaker.circuit(now), breaker.wait(now)), (Circuit::Open, Some(OPEN_FOR)));
        assert_eq!(breaker.circuit(now + OPEN_FOR), Circuit::HalfOpen);
    }

    #[test]
    fn half_open_it_lets_one_through_at_a_time() {
        let (breaker, now) = opened();
        let later = now + OPEN_FOR;
        breaker.probe(later);
        assert_eq!(breaker.circuit(later), Circuit::Open);
        assert_eq!(
            breaker.circuit(later + OPEN_FOR),
            Circuit::HalfOpen,
            "one that never answers does not close it for ever"
        );
    }

    #[test]
    fn a_probe_that_shows_nothing_is_followed_by_another_at_once() {
        let (breaker, now) = opened();
        let later = now + OPEN_FOR;
        breaker.probe(later);
        breaker.probe_again(later);
        assert_eq!(breaker.circuit(later), Circuit::HalfOpen);
    }

    #[test]
    fn the_probes_answer_closes_it_or_opens_it_again() {
        let (breaker, now) = opened();
        let later = now + OPEN_FOR;
        assert_eq!(breaker.record(false, later), None);
        assert_eq!(breaker.circuit(later), Circuit::Open);
        assert_eq!(breaker.record(true, later + OPEN_FOR), Some(Change::Closed));
        assert_eq!(breaker.circuit(later + OPEN_FOR), Circuit::Closed);
    }
}
