use std::time::Duration;

use serde::Deserialize;

/// The longest wait that a provider may ask for.
const LONGEST_ASKED: Duration = Duration::from_hours(1);

/// The `delivery.backoff:` block: exponential backoff with full jitter, so that notifications that failed together are
/// not retried together.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Backoff {
    /// The longest wait after the first attempt; each further attempt doubles it.
    #[serde(with = "humantime_serde")]
    base: Duration,
    /// The longest wait after any attempt.
    #[serde(with = "humantime_serde")]
    cap: Duration,
}

impl Backoff {
    /// How long to wait after this attempt, the first being 1: the part `random` (0 to 1) of the longest wait, but not
    /// less than the provider has asked for.
    pub(crate) fn wait(&self, attempt: u32, random: f64, asked: Option<Duration>) -> Duration {
        let doubled = 2_u32.saturating_pow(attempt.saturating_sub(1));
        let longest = self.base.saturating_mul(doubled).min(self.cap);
        longest.mul_f64(random.clamp(0.0, 1.0)).max(asked.unwrap_or_default().min(LONGEST_ASKED))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BACKOFF: Backoff = Backoff { base: Duration::from_secs(30), cap: Duration::from_mins(30) };

    #[test]
    fn the_longest_wait_doubles_up_to_the_cap() {
        let longest = |attempt| BACKOFF.wait(attempt, 1.0, None).as_secs();
        assert_eq!([1, 2, 3, 7, 8, u32::MAX].map(longest), [30, 60, 120, 1800, 1800, 1800]);
    }

    #[test]
    fn any_wait_down_to_none_is_possible() {
        assert_eq!(BACKOFF.wait(3, 0.0, None), Duration::ZERO);
        assert_eq!(BACKOFF.wait(3, 0.25, None), Duration::from_secs(30));
    }

    #[test]
    fn what_the_provider_asks_for_is_the_least_but_for_an_hour_at_most() {
        assert_eq!(BACKOFF.wait(1, 0.0, Some(Duration::from_mins(5))), Duration::from_mins(5));
        assert_eq!(BACKOFF.wait(1, 1.0, Some(Duration::from_secs(1))), Duration::from_secs(30));
        assert_eq!(BACKOFF.wait(1, 0.0, Some(Duration::MAX)), Duration::from_hours(1));
    }
}
