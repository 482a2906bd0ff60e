//! What the lab has found out.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use hdrhistogram::Histogram;

use super::{CONFIDENCE, Failure, Route, interval};

/// One sampler under the whole load.
#[derive(Debug)]
pub struct Row {
    pub sampler: String,
    pub routes: BTreeMap<Route, Counted>,
    pub failures: BTreeMap<Failure, Caught>,
    /// Requests that failed and were not to fail, as on a machine that is too busy: those whose answer said so, which count
    /// nowhere else, and those in whose trace something has failed after it.
    pub unplanned: u64,
    /// Failures whose path is not complete although the patient's answer told of them, and which no kill explains.
    pub unexplained: u64,
    /// Of all spans of submissions, as they travel.
    pub bytes: u64,
    /// Nothing for what is worked out from the traces of another row.
    pub cost: Option<Cost>,
}

/// The traces of a route.
#[derive(Debug, Default, Clone)]
pub struct Counted {
    pub sent: u64,
    /// Those of which anything arrived.
    pub kept: u64,
    /// Those whose root says with which probability it was kept.
    pub chosen: u64,
    /// With which they were to be kept, if anybody can say.
    pub share: Option<f64>,
    /// How many there were, as the kept ones say: the sum of one over the probability of each root.
    pub estimate: f64,
    /// Of traces in which nothing fails: those of which anything arrived, and those that arrived whole.
    pub good: u64,
    pub whole: u64,
}

impl Counted {
    /// Between which shares the true one lies, as the chosen ones say.
    ///
    /// # Errors
    /// When more were chosen than sent.
    pub fn interval(&self) -> anyhow::Result<RangeInclusive<f64>> {
        interval(self.chosen, self.sent, CONFIDENCE)
    }

    /// Whether the share that was to be kept is in the interval: then the true count is in the interval of the estimate,
    /// too. `None` where nobody can say which share that is.
    ///
    /// # Errors
    /// When more were chosen than sent.
    pub fn is_inside(&self) -> anyhow::Result<Option<bool>> {
        let interval = self.interval()?;
        Ok(self.share.map(|share| interval.contains(&share)))
    }
}

/// The submissions that failed in one way.
#[derive(Debug, Default, Clone, Copy)]
pub struct Caught {
    pub sent: u64,
    /// Those whose failed span arrived.
    pub caught: u64,
    /// Those of which every span arrived from the failed one up to where nobody waits for it any more: the root, or work
    /// that was handed on (PRODUCER, CONSUMER).
    pub waited: u64,
    /// Those of which every span arrived from the failed one up to the root.
    pub complete: u64,
    /// All spans of theirs that arrived.
    pub spans: u64,
}

impl Caught {
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            sent: self.sent + other.sent,
            caught: self.caught + other.caught,
            waited: self.waited + other.waited,
            complete: self.complete + other.complete,
            spans: self.spans + other.spans,
        }
    }
}

/// What a sampler has cost the five services.
#[derive(Debug)]
pub struct Cost {
    pub cpu: Duration,
    /// Bytes of memory at the end.
    pub resident: u64,
    /// How long after its end each span arrived, in milliseconds.
    pub held: Histogram<u64>,
    /// Spans that there was no room for.
    pub lost: i64,
}

impl Row {
    pub fn submissions(&self) -> &Counted {
        &self.routes[&Route::Submit]
    }

    /// All failures of these ways together.
    pub fn caught(&self, of: impl Fn(Failure) -> bool) -> Caught {
        let fitting = self.failures.iter().filter(|(failure, _)| of(**failure));
        fitting.fold(Caught::default(), |sum, (_, caught)| sum.and(*caught))
    }

    /// Kilobytes a submission.
    #[expect(clippy::cast_precision_loss, reason = "there are not so many")]
    pub fn kilobytes_each(&self) -> f64 {
        self.bytes as f64 / 1e3 / self.submissions().sent.max(1) as f64
    }

    /// Milliseconds of CPU a submission in the five services, with its deliveries and with what is read beside.
    #[expect(clippy::cast_precision_loss, reason = "there are not so many")]
    pub fn cpu_each(&self) -> Option<f64> {
        let cost = self.cost.as_ref()?;
        Some(cost.cpu.as_secs_f64() * 1e3 / self.submissions().sent.max(1) as f64)
    }
}
