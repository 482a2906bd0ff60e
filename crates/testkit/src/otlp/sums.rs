//! Received sums, such as counters: the last value of each series.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value as Number;
use opentelemetry_proto::tonic::metrics::v1::{Metric, NumberDataPoint};

use crate::trace::{Attributes, attributes};

/// As many series as the senders have; an SDK has 2,000 for one instrument at most.
#[derive(Debug, Default)]
pub(super) struct Sums(Mutex<BTreeMap<String, Series>>);

#[derive(Debug)]
struct Series {
    name: String,
    attributes: Attributes,
    value: i64,
}

impl Sums {
    /// Takes what is cumulative as it is: the newest value stands for all before it.
    pub(super) fn add(&self, request: ExportMetricsServiceRequest) {
        let mut sums = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for group in request.resource_metrics {
            // A process has an instance id of its own, so that a copy's series are others.
            let resource = format!("{:?}", attributes(group.resource.unwrap_or_default().attributes));
            for metric in group.scope_metrics.into_iter().flat_map(|scope| scope.metrics) {
                for series in series(metric) {
                    sums.insert(format!("{resource} {} {:?}", series.name, series.attributes), series);
                }
            }
        }
    }

    /// All series of this name with these attributes, together.
    pub(super) fn sum(&self, name: &str, wanted: &[(&str, &str)]) -> i64 {
        let has = |series: &Series, (key, value): &(&str, &str)| {
            series.attributes.get(*key).and_then(serde_json::Value::as_str) == Some(*value)
        };
        let sums = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let fitting = sums.values().filter(|series| series.name == name);
        fitting.filter(|series| wanted.iter().all(|pair| has(series, pair))).map(|series| series.value).sum()
    }
}

/// A sum's series; none for other kinds of metrics and for numbers that are not whole.
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
