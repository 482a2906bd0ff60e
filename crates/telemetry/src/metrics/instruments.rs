use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use opentelemetry::KeyValue;
use opentelemetry::metrics::{self, Meter};

use super::Meters;
use crate::telemetry::Telemetry;

/// Counts what happens, such as a message that could not be delivered: a `const` or `static` beside the code that
/// knows. It counts for the telemetry of the work it is called in, and only where metrics are sent.
#[derive(Debug, Clone, Copy)]
pub struct Counter {
    name: &'static str,
    unit: &'static str,
}

/// Shows how much there is of something now, such as messages that wait: as [`Counter`].
#[derive(Debug, Clone, Copy)]
pub struct Gauge {
    name: &'static str,
    unit: &'static str,
}

/// Shows how something is spread, such as the time that each delivery took: as [`Counter`].
#[derive(Debug, Clone, Copy)]
pub struct Histogram {
    name: &'static str,
    unit: &'static str,
    bounds: &'static [f64],
}

impl Counter {
    /// `unit` is one of UCUM; what is counted stands in braces, such as `{message}`.
    pub const fn new(name: &'static str, unit: &'static str) -> Self {
        Self { name, unit }
    }

    /// Counts so many more. Attributes are constants of the code, so that their values are few and nobody's words.
    pub fn add(&self, number: u64, attributes: &[(&'static str, &'static str)]) {
        with_meters(|meters| {
            let build = |meter: &Meter| meter.u64_counter(self.name).with_unit(self.unit).build();
            meters.instruments.counters.get(self.name, || build(&meters.meter)).add(number, &pairs(attributes));
        });
    }
}

impl Gauge {
    /// `unit` is one of UCUM, such as `s` for seconds, or what is counted in braces.
    pub const fn new(name: &'static str, unit: &'static str) -> Self {
        Self { name, unit }
    }

    /// Whether anybody is told, for what costs something to find out.
    pub fn is_recorded(&self) -> bool {
        Telemetry::current().is_some_and(|telemetry| telemetry.0.meters.is_some())
    }

    /// Says how much there is now. Attributes are constants of the code.
    pub fn record(&self, number: f64, attributes: &[(&'static str, &'static str)]) {
        with_meters(|meters| {
            let build = |meter: &Meter| meter.f64_gauge(self.name).with_unit(self.unit).build();
            meters.instruments.gauges.get(self.name, || build(&meters.meter)).record(number, &pairs(attributes));
        });
    }
}

impl Histogram {
    /// `unit` is one of UCUM, such as `s` for seconds; `bounds` are the upper ends of its buckets, ascending, each of them
    /// inclusive.
    pub const fn new(name: &'static str, unit: &'static str, bounds: &'static [f64]) -> Self {
        Self { name, unit, bounds }
    }

    /// Adds one more value. Attributes are constants of the code.
    pub fn record(&self, value: f64, attributes: &[(&'static str, &'static str)]) {
        with_meters(|meters| {
            let build = |meter: &Meter| {
                let histogram = meter.f64_histogram(self.name).with_unit(self.unit);
                histogram.with_boundaries(self.bounds.to_vec()).build()
            };
            meters.instruments.histograms.get(self.name, || build(&meters.meter)).record(value, &pairs(attributes));
        });
    }
}

fn with_meters(count: impl FnOnce(&Meters)) {
    if let Some(telemetry) = Telemetry::current()
        && let Some(meters) = &telemetry.0.meters
    {
        count(meters);
    }
}

fn pairs(attributes: &[(&'static str, &'static str)]) -> Vec<KeyValue> {
    attributes.iter().map(|(name, value)| KeyValue::new(*name, *value)).collect()
}

/// The instruments of an application's own code, made when they are first used.
#[derive(Debug, Default)]
pub(super) struct Instruments {
    counters: ByName<metrics::Counter<u64>>,
    gauges: ByName<metrics::Gauge<f64>>,
    histograms: ByName<metrics::Histogram<f64>>,
}

#[derive(Debug)]
struct ByName<I>(RwLock<HashMap<&'static str, Arc<I>>>);

impl<I> Default for ByName<I> {
    fn default() -> Self {
        Self(RwLock::default())
    }
}

impl<I> ByName<I> {
    fn get(&self, name: &'static str, build: impl FnOnce() -> I) -> Arc<I> {
        if let Some(known) = self.0.read().unwrap_or_else(PoisonError::into_inner).get(name) {
            return Arc::clone(known);
        }
        let mut instruments = self.0.write().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(instruments.entry(name).or_insert_with(|| Arc::new(build())))
    }
}
