//! Metrics: the durations of the instruments and what the application measures, exported over OTLP.

#[cfg(feature = "sqlx")]
mod connections;
mod exporter;
mod instruments;
mod own;

use std::time::Duration;

use opentelemetry::metrics::{self, Meter, MeterProvider};
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::{Aggregation, Instrument, InstrumentKind, PeriodicReader, SdkMeterProvider, Stream};
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

use crate::config::settings::MetricExport;
use crate::conventions::{
    DB_CLIENT_CONNECTION_TIMEOUTS, DB_CLIENT_CONNECTION_WAIT_TIME, DB_CLIENT_OPERATION_DURATION,
    HTTP_SERVER_REQUEST_DURATION, RPC_CLIENT_CALL_DURATION, RPC_SERVER_CALL_DURATION, SCHEMA_URL,
};

use instruments::Instruments;

/// Bucket bounds of durations, in seconds, as the conventions advise for HTTP and RPC.
const SECONDS: [f64; 14] = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];

/// Bucket bounds of durations of database operations, in seconds, as the conventions advise.
const DATABASE_SECONDS: [f64; 9] = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0];

/// What an application measures: the instruments' own durations, and what its code counts.
#[derive(Debug)]
pub(crate) struct Meters {
    provider: SdkMeterProvider,
    meter: Meter,
    instruments: Instruments,
    http_server: metrics::Histogram<f64>,
    rpc_server: metrics::Histogram<f64>,
    rpc_client: metrics::Histogram<f64>,
    database: metrics::Histogram<f64>,
    connection_wait: metrics::Histogram<f64>,
    connection_timeouts: metrics::Counter<u64>,
}

/// Makes histograms exponential with the defaults of the specification: at most 160 buckets, at the finest scale that
/// fits.
fn exponential(instrument: &Instrument) -> Option<Stream> {
    let buckets = Aggregation::Base2ExponentialHistogram { max_size: 160, max_scale: 20, record_min_max: true };
    (instrument.kind() == InstrumentKind::Histogram)
        .then(|| Stream::builder().with_aggregation(buckets).build())
        .and_then(Result::ok)
}

impl Meters {
    /// Starts the thread that sends what was counted.
    ///
    /// # Errors
    /// When it cannot be started.
    pub(crate) fn start(export: &MetricExport, resource: Resource) -> std::io::Result<Self> {
        let reader = PeriodicReader::builder(exporter::Exporter::new(export)?).with_interval(export.interval).build();
        let mut provider = SdkMeterProvider::builder().with_resource(resource).with_reader(reader);
        if export.exponential {
            provider = provider.with_view(exponential);
        }
        Ok(Self::new(provider.build()))
    }

    pub(crate) fn new(provider: SdkMeterProvider) -> Self {
        let scope = InstrumentationScope::builder(env!("CARGO_PKG_NAME"))
            .with_version(env!("CARGO_PKG_VERSION"))
            .with_schema_url(SCHEMA_URL)
            .build();
        let meter = provider.meter_with_scope(scope);
        let seconds =
            |name, limits: &[f64]| meter.f64_histogram(name).with_unit("s").with_boundaries(limits.to_vec()).build();
        Self {
            http_server: seconds(HTTP_SERVER_REQUEST_DURATION, &SECONDS),
            rpc_server: seconds(RPC_SERVER_CALL_DURATION, &SECONDS),
            rpc_client: seconds(RPC_CLIENT_CALL_DURATION, &SECONDS),
            database: seconds(DB_CLIENT_OPERATION_DURATION, &DATABASE_SECONDS),
            connection_wait: seconds(DB_CLIENT_CONNECTION_WAIT_TIME, &DATABASE_SECONDS),
            connection_timeouts: meter.u64_counter(DB_CLIENT_CONNECTION_TIMEOUTS).with_unit("{timeout}").build(),
            instruments: Instruments::default(),
            provider,
            meter,
        }
    }

    pub(crate) fn http_server(&self, duration: Duration, attributes: &[KeyValue]) {
        self.http_server.record(duration.as_secs_f64(), attributes);
    }

    pub(crate) fn rpc_server(&self, duration: Duration, attributes: &[KeyValue]) {
        self.rpc_server.record(duration.as_secs_f64(), attributes);
    }

    pub(crate) fn rpc_client(&self, duration: Duration, attributes: &[KeyValue]) {
        self.rpc_client.record(duration.as_secs_f64(), attributes);
    }

    pub(crate) fn database(&self, duration: Duration, attributes: &[KeyValue]) {
        self.database.record(duration.as_secs_f64(), attributes);
    }

    /// Sends what was counted since the last time, until `end` at most.
    pub(crate) async fn shutdown(&self, end: Instant) {
        let (done, sent) = oneshot::channel();
        let provider = self.provider.clone();
        // The SDK's shutdown blocks without a time limit. The runtime would wait for it on a thread of its own pool.
        std::thread::spawn(move || done.send(provider.shutdown()));
        match timeout_at(end, sent).await {
            Ok(Ok(Ok(()))) => {}
            Ok(Ok(Err(error))) => tracing::warn!(%error, "the last metrics may be lost"),
            Ok(Err(_)) | Err(_) => tracing::warn!("the last metrics may be lost"),
        }
    }
}

#[cfg(test)]
mod tests;
