use std::ops::RangeInclusive;

use anyhow::Context;
use statrs::distribution::{Beta, ContinuousCDF};

/// The confidence of the lab's intervals.
pub const CONFIDENCE: f64 = 0.99;

/// The exact confidence interval of Clopper and Pearson (1934) for a proportion, from `successes` of `trials`. It
/// contains the true proportion with at least this confidence, such as 0.99. Without trials it is 0 to 1.
///
/// # Errors
/// When there are more successes than trials, or the confidence is not between 0 and 1.
#[expect(clippy::cast_precision_loss, reason = "there are not so many")]
pub fn interval(successes: u64, trials: u64, confidence: f64) -> anyhow::Result<RangeInclusive<f64>> {
    let failures = trials.checked_sub(successes).context("more successes than trials")?;
    anyhow::ensure!((0.0..1.0).contains(&confidence), "{confidence} is no confidence");
    let tail = (1.0 - confidence) / 2.0;
    let (successes, failures) = (successes as f64, failures as f64);
    let low = if successes == 0.0 { 0.0 } else { Beta::new(successes, failures + 1.0)?.inverse_cdf(tail) };
    let high = if failures == 0.0 { 1.0 } else { Beta::new(successes + 1.0, failures)?.inverse_cdf(1.0 - tail) };
    Ok(low..=high)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(a: f64, b: f64) -> bool {
        (a - b).abs() < 5e-5
    }

    #[test]
    fn it_is_the_one_of_published_tables() {
        // Computed with `binom.test` of R.
        for (successes, trials, confidence, low, high) in
            [(10, 100, 0.95, 0.04901, 0.17622), (0, 10, 0.95, 0.0, 0.30850), (10, 10, 0.95, 0.69150, 1.0)]
        {
            let found = interval(successes, trials, confidence).unwrap();
            assert!(close(*found.start(), low) && close(*found.end(), high), "{successes} of {trials}: {found:?}");
        }
    }

    #[test]
    fn without_a_trial_it_is_every_share() {
        assert_eq!(interval(0, 0, CONFIDENCE).unwrap(), 0.0..=1.0);
    }

    #[test]
    fn it_holds_the_share_that_was_seen_and_narrows_with_more_trials() {
        let width = |trials: u64| {
            let found = interval(trials / 20, trials, CONFIDENCE).unwrap();
            assert!(found.contains(&0.05), "{found:?}");
            found.end() - found.start()
        };
        assert!(width(200) > width(2_000) && width(2_000) > width(20_000));
    }

    #[test]
    fn nonsense_is_refused() {
        assert!(interval(2, 1, CONFIDENCE).is_err() && interval(1, 2, 1.0).is_err());
    }
}
