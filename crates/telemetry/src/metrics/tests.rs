//! Metrics against a receiver on a real socket.

use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_server::{
    MetricsService, MetricsServiceServer,
};
use opentelemetry_proto::tonic::collector::metrics::v1::{ExportMetricsServiceRequest, ExportMetricsServiceResponse};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};

use super::*;
use crate::config::Config;
use crate::config::settings::Settings;

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

/// What is sent of one measured duration, with these variables set.
async fn sent(variables: &[(&str, &str)]) -> Data {
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
    meters.http_server(Duration::from_millis(7), &[]);
    meters.shutdown(Instant::now() + Duration::from_secs(10)).await;
    let request = requests.recv().await.unwrap();
    let mut metrics =
        request.resource_metrics.into_iter().flat_map(|group| group.scope_metrics).flat_map(|s| s.metrics);
    metrics.find(|metric| metric.name == HTTP_SERVER_REQUEST_DURATION).unwrap().data.unwrap()
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
