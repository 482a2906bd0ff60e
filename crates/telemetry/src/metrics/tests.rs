//! Metrics against a receiver on a real socket.

use std::collections::BTreeMap;

use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_server::{
    MetricsService, MetricsServiceServer,
};
use opentelemetry_proto::tonic::collector::metrics::v1::{ExportMetricsServiceRequest, ExportMetricsServiceResponse};
use opentelemetry_proto::tonic::common::v1::any_value;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{Metric, NumberDataPoint, number_data_point};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};

use super::*;
use crate::config::Config;
use crate::config::settings::Settings;
use crate::conventions::{ERROR_TYPE, OTEL_SDK_EXPORTER_SPAN_EXPORTED, OTEL_SDK_PROCESSOR_SPAN_PROCESSED};
use crate::export::tests::receiver::{Behaviour, Receiver};
use crate::export::tests::{Pipeline, grpc};

const PATIENCE: Duration = Duration::from_secs(10);

struct Taken(mpsc::UnboundedSender<ExportMetricsServiceRequest>);

#[tonic::async_trait]
impl MetricsService for Taken {
    async fn export(
        &self,
        request: Request<ExportMetricsServiceRequest>,
    ) -> Result<Response<ExportMetricsServiceResponse>, Status> {
        let _ = self.0.send(request.into_inner());
        Ok(Response::new(ExportMetricsServiceResponse::default()))
    }
}

/// The exported data of one measured duration, with these variables set.
async fn sent(variables: &[(&str, &str)]) -> Data {
    let metrics = collected(variables, |meters| meters.http_server(Duration::from_millis(7), &[])).await;
    metrics.into_iter().find(|metric| metric.name == HTTP_SERVER_REQUEST_DURATION).unwrap().data.unwrap()
}

/// The exported metrics of what a test measures, with these variables set.
async fn collected(variables: &[(&str, &str)], measure: impl FnOnce(&Meters)) -> Vec<Metric> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let (taken, mut requests) = mpsc::unbounded_channel();
    let server = Server::builder().add_service(MetricsServiceServer::new(Taken(taken)));
    tokio::spawn(server.serve_with_incoming(TcpIncoming::from(listener)));

    let set = [("OTEL_METRICS_EXPORTER", "otlp"), ("OTEL_EXPORTER_OTLP_ENDPOINT", &*endpoint)];
    let read = |name: &str| {
        let mut all = set.iter().chain(variables);
        all.find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
    };
    let export = Settings::new(&Config::new("shop"), "1", read).metrics.unwrap();
    let meters = Meters::start(&export, Resource::builder_empty().build()).unwrap();
    measure(&meters);
    meters.shutdown(Instant::now() + PATIENCE).await;
    let request = timeout_at(Instant::now() + PATIENCE, requests.recv()).await.unwrap().unwrap();
    let scopes = request.resource_metrics.into_iter().flat_map(|group| group.scope_metrics);
    scopes.flat_map(|scope| scope.metrics).collect()
}

/// The series of a counter, by `error.type`, which is empty where nothing went wrong.
fn by_error(metrics: &[Metric], name: &str) -> BTreeMap<String, i64> {
    let metric = metrics.iter().find(|metric| metric.name == name).unwrap();
    let Some(Data::Sum(sum)) = &metric.data else { panic!("{name} is no counter") };
    let error = |point: &NumberDataPoint| {
        let pair = point.attributes.iter().find(|pair| pair.key == ERROR_TYPE)?;
        match pair.value.as_ref()?.value.as_ref()? {
            any_value::Value::StringValue(text) => Some(text.clone()),
            _ => None,
        }
    };
    let value = |point: &NumberDataPoint| match point.value {
        Some(number_data_point::Value::AsInt(value)) => value,
        _ => panic!("{name} is no whole number"),
    };
    sum.data_points.iter().map(|point| (error(point).unwrap_or_default(), value(point))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_become_of_spans_is_counted_by_why() {
    let receiver = Receiver::start(Behaviour::Reject(3)).await;
    let pipeline = Pipeline::start(grpc(&receiver.endpoint()));
    pipeline.end_spans(10);
    pipeline.close(PATIENCE).await;
    pipeline.end_spans(1);
    let metrics = collected(&[], |meters| meters.observe_export(&pipeline.processor)).await;
    let series = |pairs: &[(&str, i64)]| pairs.iter().map(|(error, spans)| ((*error).to_owned(), *spans)).collect();
    assert_eq!(by_error(&metrics, OTEL_SDK_EXPORTER_SPAN_EXPORTED), series(&[("", 7), ("rejected", 3)]));
    assert_eq!(by_error(&metrics, OTEL_SDK_PROCESSOR_SPAN_PROCESSED), series(&[("", 10), ("already_shutdown", 1)]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_duration_is_in_the_buckets_of_the_conventions_since_the_start() {
    let Data::Histogram(histogram) = sent(&[]).await else { panic!("no histogram") };
    assert_eq!(histogram.aggregation_temporality, 2);
    assert_eq!(histogram.data_points[0].explicit_bounds, SECONDS);
    assert_eq!((histogram.data_points[0].count, histogram.data_points[0].bucket_counts[1]), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn variables_ask_for_exponential_buckets_since_the_last_time() {
    let data = sent(&[
        ("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "delta"),
        ("OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION", "base2_exponential_bucket_histogram"),
    ])
    .await;
    let Data::ExponentialHistogram(histogram) = data else { panic!("no exponential histogram") };
    assert_eq!((histogram.aggregation_temporality, histogram.data_points[0].count), (1, 1));
}
