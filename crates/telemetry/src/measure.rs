//! Instruments for an application's own metrics.

use opentelemetry::KeyValue;

use crate::metrics::Meters;
use crate::telemetry::Telemetry;

/// Counts events, such as messages that could not be delivered. Declare it as a `const` or `static` beside the code
/// that uses it. It counts for the telemetry of the work in which it is called, and only if metrics are exported.
#[derive(Debug, Clone, Copy)]
pub struct Counter {
    name: &'static str,
    unit: &'static str,
}

/// Shows a current value, such as the number of waiting messages. Used as [`Counter`].
#[derive(Debug, Clone, Copy)]
pub struct Gauge {
    name: &'static str,
    unit: &'static str,
}

/// Shows the distribution of a value, such as the time that each delivery took. Used as [`Counter`].
#[derive(Debug, Clone, Copy)]
pub struct Histogram {
    name: &'static str,
    unit: &'static str,
    bounds: &'static [f64],
}

impl Counter {
    /// `unit` is a UCUM unit. For a count it is the counted thing in braces, such as `{message}`.
    pub const fn new(name: &'static str, unit: &'static str) -> Self {
        Self { name, unit }
    }

    /// Adds `number`. Attributes are constants of the code, so that their values are few and none is a person's words.
    pub fn add(&self, number: u64, attributes: &[(&'static str, &'static str)]) {
        with_meters(|meters| meters.counter(self.name, self.unit).add(number, &pairs(attributes)));
    }
}

impl Gauge {
    /// `unit` is a UCUM unit, such as `s` for seconds, or the counted thing in braces.
    pub const fn new(name: &'static str, unit: &'static str) -> Self {
        Self { name, unit }
    }

    /// Whether values are exported. If not, a value that is expensive to compute can be left out.
    pub fn is_recorded(&self) -> bool {
        Telemetry::current().is_some_and(|telemetry| telemetry.0.meters.is_some())
    }

    /// Sets the current value. Attributes are constants of the code.
    pub fn record(&self, number: f64, attributes: &[(&'static str, &'static str)]) {
        with_meters(|meters| meters.gauge(self.name, self.unit).record(number, &pairs(attributes)));
    }
}

impl Histogram {
    /// `unit` is a UCUM unit, such as `s` for seconds. `bounds` are the inclusive upper ends of its buckets, ascending.
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
