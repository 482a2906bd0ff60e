//! The results of the lab.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use hdrhistogram::Histogram;

use super::{CONFIDENCE, Failure, Route, interval};

/// The results of one sampler under the whole load.
#[derive(Debug)]
pub struct Row {
    pub sampler: String,
    pub routes: BTreeMap<Route, Counted>,
    pub failures: BTreeMap<Failure, Caught>,
    /// What failed unplanned, for example because the machine was too busy. Either the answer was an error, and the
    /// request counts nowhere else, or something in the trace failed although the answer was good.
    pub unplanned: Vec<String>,
    /// Failures that the patient's answer reported, whose path is incomplete although no kill explains that.
    pub unexplained: u64,
    /// The size of all spans of submissions as they were sent.
    pub bytes: u64,
    /// `None` for a row that was computed from another one.
    pub cost: Option<Cost>,
}

/// The traces of one route.
#[derive(Debug, Default, Clone)]
pub struct Counted {
    pub sent: u64,
    /// Traces of which at least one span arrived.
    pub kept: u64,
    /// Traces whose root carries its sampling probability.
    pub chosen: u64,
    /// The expected ratio of chosen traces, if it is known.
    pub share: Option<f64>,
    /// The estimated number of all traces: the sum of 1 / probability over the chosen roots.
    pub estimate: f64,
    /// Traces without failures: those with at least one span, and those that are complete.
    pub good: u64,
    pub whole: u64,
}

impl Counted {
    /// The confidence interval of the ratio of chosen traces.
    ///
    /// # Errors
    /// When more were chosen than sent.
    pub fn interval(&self) -> anyhow::Result<RangeInclusive<f64>> {
        interval(self.chosen, self.sent, CONFIDENCE)
    }

    /// Whether the expected ratio is in the interval. Then the true count is in the interval of the estimate too.
    /// `None` when the expected ratio is not known.
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
    /// Failures whose failed span arrived.
    pub caught: u64,
    /// Failures with every span from the failed one up to where nothing waits for its result any more: the root, or an
    /// asynchronous hand-over (PRODUCER, CONSUMER).
    pub waited: u64,
    /// Failures with every span from the failed one up to the root.
    pub complete: u64,
    /// All of their spans that arrived.
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

/// What a sampler costs the five services.
#[derive(Debug)]
pub struct Cost {
    pub cpu: Duration,
    /// Resident memory at the end, in bytes.
    pub resident: u64,
    /// The time from a span's end to its arrival, in milliseconds.
    pub held: Histogram<u64>,
    /// Spans that were dropped for lack of space.
    pub lost: i64,
}

impl Row {
    pub fn submissions(&self) -> &Counted {
        &self.routes[&Route::Submit]
    }

    /// The sum over the failures for which `of` holds.
    pub fn caught(&self, of: impl Fn(Failure) -> bool) -> Caught {
        let fitting = self.failures.iter().filter(|(failure, _)| of(**failure));
        fitting.fold(Caught::default(), |sum, (_, caught)| sum.and(*caught))
    }

    /// Kilobytes per submission.
    #[expect(clippy::cast_precision_loss, reason = "there are not so many")]
    pub fn kilobytes_each(&self) -> f64 {
        self.bytes as f64 / 1e3 / self.submissions().sent.max(1) as f64
    }

    /// Milliseconds of CPU per submission in the five services, including its deliveries and the reads in between.
    #[expect(clippy::cast_precision_loss, reason = "there are not so many")]
    pub fn cpu_each(&self) -> Option<f64> {
        let cost = self.cost.as_ref()?;
        Some(cost.cpu.as_secs_f64() * 1e3 / self.submissions().sent.max(1) as f64)
    }
}
