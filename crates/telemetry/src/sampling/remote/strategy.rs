use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use governor::{DefaultDirectRateLimiter, Quota};
use opentelemetry::KeyValue;

use super::wire::{self, RATE_LIMITING, Response};
use crate::trace_state::{Randomness, Threshold};

/// The most operations that have a lower bound of their own: the names of operations may have a high cardinality.
const OPERATIONS: usize = 2_000;

/// The range of rates, in traces a second: from one a year to more than any service has.
const SLOWEST: f64 = 1.0 / (365.0 * 24.0 * 60.0 * 60.0);
const FASTEST: f64 = 1e6;

/// How the sampler decides on roots.
#[derive(Debug)]
pub(in crate::sampling) enum Strategy {
    Probabilistic(Probability),
    RateLimiting { limit: Limit, per_second: f64 },
    PerOperation(PerOperation),
}

/// A share of all traces.
#[derive(Debug, Clone, Copy)]
pub(in crate::sampling) struct Probability {
    ratio: f64,
    threshold: Option<Threshold>,
}

#[derive(Debug)]
pub(in crate::sampling) struct PerOperation {
    default: Probability,
    operations: HashMap<String, Probability>,
    lower_bound: f64,
    /// The limits of the operations that have been seen.
    limits: Arc<Mutex<HashMap<String, Limit>>>,
}

/// The decision to keep a root.
#[derive(Debug, Default)]
pub(in crate::sampling) struct Verdict {
    /// The probability of that decision, if it is known.
    pub(in crate::sampling) threshold: Option<Threshold>,
    /// Attributes that Jaeger's adaptive sampling reads.
    pub(in crate::sampling) attributes: Vec<KeyValue>,
}

impl Strategy {
    /// The strategy of an answer, or what is wrong with it. The limits of the operations in `before` stay in use if the
    /// lower bound is the same.
    pub(super) fn new(response: &Response, before: &Self) -> Result<Self, &'static str> {
        if let Some(operations) = &response.operation_sampling {
            return PerOperation::new(operations, before).map(Self::PerOperation);
        }
        let is_limited = response.strategy_type == RATE_LIMITING;
        match (response.probabilistic_sampling, response.rate_limiting_sampling) {
            (Some(strategy), None) => Probability::new(strategy.sampling_rate).map(Self::Probabilistic),
            (Some(strategy), _) if !is_limited => Probability::new(strategy.sampling_rate).map(Self::Probabilistic),
            (_, Some(strategy)) => {
                let per_second = f64::from(strategy.max_traces_per_second);
                Ok(Self::RateLimiting { limit: Limit::new(per_second)?, per_second })
            }
            (_, None) => Err("there is no strategy in it"),
        }
    }

    /// The strategy until there is an answer.
    pub(super) fn initial(ratio: f64) -> Self {
        Self::Probabilistic(Probability { ratio, threshold: Threshold::of_ratio(ratio) })
    }

    /// Decides on the root of a trace.
    pub(in crate::sampling) fn decide(&self, name: &str, randomness: Randomness) -> Option<Verdict> {
        match self {
            Self::Probabilistic(probability) => probability.decide(randomness),
            Self::RateLimiting { limit, per_second } => {
                limit.admits().then(|| Verdict::new(None, "ratelimiting", *per_second))
            }
            Self::PerOperation(operations) => operations.decide(name, randomness),
        }
    }
}

impl Verdict {
    fn new(threshold: Option<Threshold>, kind: &'static str, parameter: f64) -> Self {
        let attributes = vec![KeyValue::new("sampler.type", kind), KeyValue::new("sampler.param", parameter)];
        Self { threshold, attributes }
    }
}

impl Probability {
    fn new(ratio: f64) -> Result<Self, &'static str> {
        if !(0.0..=1.0).contains(&ratio) {
            return Err("a probability is not from 0 to 1");
        }
        Ok(Self { ratio, threshold: Threshold::of_ratio(ratio) })
    }

    fn decide(self, randomness: Randomness) -> Option<Verdict> {
        let threshold = self.threshold.filter(|threshold| threshold.keeps(randomness))?;
        Some(Verdict::new(Some(threshold), "probabilistic", self.ratio))
    }
}

impl PerOperation {
    fn new(wire: &wire::PerOperation, before: &Strategy) -> Result<Self, &'static str> {
        let lower_bound = wire.default_lower_bound_traces_per_second;
        Limit::new(lower_bound)?;
        let operation = |operation: &wire::Operation| {
            let ratio = operation.probabilistic_sampling.unwrap_or_default().sampling_rate;
            Probability::new(ratio).map(|probability| (operation.operation.clone(), probability))
        };
        let limits = match before {
            Strategy::PerOperation(before) if before.lower_bound.to_bits() == lower_bound.to_bits() => {
                Arc::clone(&before.limits)
            }
            _ => Arc::default(),
        };
        Ok(Self {
            default: Probability::new(wire.default_sampling_probability)?,
            operations: wire.per_operation_strategies.iter().map(operation).collect::<Result<_, _>>()?,
            lower_bound,
            limits,
        })
    }

    /// A trace that was kept by its probability counts towards the lower bound too.
    fn decide(&self, name: &str, randomness: Randomness) -> Option<Verdict> {
        let probability = self.operations.get(name).unwrap_or(&self.default);
        let is_owed = self.is_owed(name);
        let owed = || is_owed.then(|| Verdict::new(None, "lowerbound", probability.ratio));
        probability.decide(randomness).or_else(owed)
    }

    fn is_owed(&self, name: &str) -> bool {
        let mut limits = self.limits.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(limit) = limits.get(name) {
            return limit.admits();
        }
        if limits.len() >= OPERATIONS {
            return false;
        }
        let Ok(limit) = Limit::new(self.lower_bound) else { return false };
        limits.entry(name.to_owned()).or_insert(limit).admits()
    }
}

/// A rate in traces a second, with a burst of at least one trace.
#[derive(Debug)]
pub(in crate::sampling) struct Limit(Option<DefaultDirectRateLimiter>);

impl Limit {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it saturates")]
    fn new(per_second: f64) -> Result<Self, &'static str> {
        if !per_second.is_finite() || per_second < 0.0 {
            return Err("a rate is invalid");
        }
        if per_second == 0.0 {
            return Ok(Self(None));
        }
        let per_second = per_second.clamp(SLOWEST, FASTEST);
        let quota = Quota::with_period(Duration::from_secs_f64(1.0 / per_second)).ok_or("a rate is invalid")?;
        let burst = NonZeroU32::new(per_second as u32).unwrap_or(NonZeroU32::MIN);
        Ok(Self(Some(DefaultDirectRateLimiter::direct(quota.allow_burst(burst)))))
    }

    fn admits(&self) -> bool {
        self.0.as_ref().is_some_and(|limiter| limiter.check().is_ok())
    }
}
