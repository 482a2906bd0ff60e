//! Received metrics: for each sum, such as a counter, the last value of each series; for every other metric only its
//! name and its attribute keys.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value as Number;
use opentelemetry_proto::tonic::metrics::v1::{Metric, NumberDataPoint};

use traces::{Attributes, attributes};

/// Grows with the number of series. The SDK limits one instrument to 2,000 series.
#[derive(Debug, Default)]
pub(super) struct Metrics {
    sums: Mutex<BTreeMap<String, Series>>,
    /// Names, each with the keys of its attributes.
    keys: Mutex<BTreeMap<String, BTreeSet<String>>>,
}

#[derive(Debug)]
struct Series {
    name: String,
    attributes: Attributes,
    value: i64,
}

impl Metrics {
    /// Adds a request. Sums are cumulative, so the newest value of a series replaces the older one.
    pub(super) fn add(&self, request: ExportMetricsServiceRequest) {
        let mut sums = self.sums.lock().unwrap_or_else(PoisonError::into_inner);
        let mut known = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        for group in request.resource_metrics {
            // Every process has its own instance id, so the series of two copies stay apart.
            let resource = format!("{:?}", attributes(group.resource.unwrap_or_default().attributes));
            for metric in group.scope_metrics.into_iter().flat_map(|scope| scope.metrics) {
                known.entry(metric.name.clone()).or_default().extend(keys(&metric));
                for series in series(metric) {
                    sums.insert(format!("{resource} {} {:?}", series.name, series.attributes), series);
                }
            }
        }
    }

    /// The total of all series that have this name and these attributes.
    pub(super) fn sum(&self, name: &str, wanted: &[(&str, &str)]) -> i64 {
        let has = |series: &Series, (key, value): &(&str, &str)| {
            series.attributes.get(*key).and_then(serde_json::Value::as_str) == Some(*value)
        };
        let sums = self.sums.lock().unwrap_or_else(PoisonError::into_inner);
        let fitting = sums.values().filter(|series| series.name == name);
        fitting.filter(|series| wanted.iter().all(|pair| has(series, pair))).map(|series| series.value).sum()
    }

    pub(super) fn keys(&self) -> BTreeMap<String, BTreeSet<String>> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The attribute keys of a metric. Only the kinds of metrics that the services send are read.
fn keys(metric: &Metric) -> Vec<String> {
    let of_numbers = |points: &[NumberDataPoint]| -> Vec<_> {
        points.iter().flat_map(|point| &point.attributes).map(|pair| pair.key.clone()).collect()
    };
    match &metric.data {
        Some(Data::Sum(sum)) => of_numbers(&sum.data_points),
        Some(Data::Gauge(gauge)) => of_numbers(&gauge.data_points),
        Some(Data::Histogram(histogram)) => {
            histogram.data_points.iter().flat_map(|point| &point.attributes).map(|pair| pair.key.clone()).collect()
        }
        _ => vec![],
    }
}

/// The series of a sum. Empty for other kinds of metrics; values that are not integers are skipped.
fn series(metric: Metric) -> Vec<Series> {
    let Some(Data::Sum(sum)) = metric.data else { return vec![] };
    let one = |point: NumberDataPoint| match point.value {
        Some(Number::AsInt(value)) => {
            Some(Series { name: metric.name.clone(), attributes: attributes(point.attributes), value })
        }
        Some(Number::AsDouble(_)) | None => None,
    };
    sum.data_points.into_iter().filter_map(one).collect()
}
