use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use opentelemetry::metrics;

use super::Meters;

impl Meters {
    /// The counter of this name.
    pub(crate) fn counter(&self, name: &'static str, unit: &'static str) -> Arc<metrics::Counter<u64>> {
        self.instruments.counters.get(name, || self.meter.u64_counter(name).with_unit(unit).build())
    }

    /// The gauge of this name.
    pub(crate) fn gauge(&self, name: &'static str, unit: &'static str) -> Arc<metrics::Gauge<f64>> {
        self.instruments.gauges.get(name, || self.meter.f64_gauge(name).with_unit(unit).build())
    }

    /// The histogram of this name; `bounds` are the upper ends of its buckets.
    pub(crate) fn histogram(
        &self,
        name: &'static str,
        unit: &'static str,
        bounds: &[f64],
    ) -> Arc<metrics::Histogram<f64>> {
        let build = || self.meter.f64_histogram(name).with_unit(unit).with_boundaries(bounds.to_vec()).build();
        self.instruments.histograms.get(name, build)
    }
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
