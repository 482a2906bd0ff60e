//! What an application's own code counts and measures.

use opentelemetry::KeyValue;

use crate::metrics::Meters;
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
        with_meters(|meters| meters.counter(self.name, self.unit).add(number, &pairs(attributes)));
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
        with_meters(|meters| meters.gauge(self.name, self.unit).record(number, &pairs(attributes)));
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
            meters.histogram(self.name, self.unit, self.bounds).record(value, &pairs(attributes));
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
