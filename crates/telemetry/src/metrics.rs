//! What is counted, for those who would rather be told than look through logs.

use std::sync::{Arc, OnceLock};

use opentelemetry::KeyValue;
use opentelemetry::metrics::{Meter, MeterProvider};
use opentelemetry_otlp::{Protocol, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::{PeriodicReader, SdkMeterProvider};
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

use crate::config::{Batcher, Config, Metrics};
use crate::exporter::Tally;
use crate::init::InitError;

/// Where this process counts; none where nothing is sent.
static METER: OnceLock<Meter> = OnceLock::new();

/// Counts what happens, such as a message that could not be delivered: a `static` beside the code that
/// knows. It counts from [`crate::init`] on, and only where `telemetry.metrics` is not `none`.
///
/// Counting costs an atomic addition; it is sent in the background every `OTEL_METRIC_EXPORT_INTERVAL`
/// milliseconds, 60,000 if that is not set.
#[derive(Debug)]
pub struct Counter {
    name: &'static str,
    unit: &'static str,
    instrument: OnceLock<opentelemetry::metrics::Counter<u64>>,
}

impl Counter {
    /// `unit` is one of UCUM; what is counted stands in braces, such as `{notification}`.
    pub const fn new(name: &'static str, unit: &'static str) -> Self {
        Self { name, unit, instrument: OnceLock::new() }
    }

    /// Counts one. Attributes are constants of the code, so that their values are few and nobody's words.
    pub fn add(&self, attributes: &[(&'static str, &'static str)]) {
        let Some(meter) = METER.get() else { return };
        let instrument = self.instrument.get_or_init(|| meter.u64_counter(self.name).with_unit(self.unit).build());
        let attributes: Vec<_> = attributes.iter().map(|(name, value)| KeyValue::new(*name, *value)).collect();
        instrument.add(1, &attributes);
    }
}

/// What collects counts and sends them in the background, or none.
///
/// Must run inside the runtime: the gRPC exporter binds its connection to it.
pub(crate) async fn provider(config: &Config, resource: Resource) -> Result<Option<SdkMeterProvider>, InitError> {
    if config.metrics == Metrics::None {
        return Ok(None);
    }
    let otlp = opentelemetry_otlp::MetricExporter::builder;
    let address = config.metrics_address();
    let exporter = match config.metrics_batcher {
        Batcher::OtlpHttp => {
            let build = move || otlp().with_http().with_protocol(Protocol::HttpBinary).with_endpoint(address).build();
            // The blocking client may not be made on a thread that drives the runtime.
            tokio::task::spawn_blocking(build).await.map_err(|_| InitError::Exporter)??
        }
        Batcher::OtlpGrpc | Batcher::Stdout | Batcher::None => otlp().with_tonic().with_endpoint(address).build()?,
    };
    let reader = PeriodicReader::builder(exporter).build();
    Ok(Some(SdkMeterProvider::builder().with_resource(resource).with_reader(reader).build()))
}

/// Lets this process count, its own missing spans first.
pub(crate) fn start(provider: &SdkMeterProvider, tally: &Arc<Tally>) {
    let meter = METER.get_or_init(|| provider.meter("epro"));
    let tally = Arc::clone(tally);
    meter
        .i64_observable_up_down_counter("epro.telemetry.span.missing")
        .with_description("Spans that have ended and not arrived: on their way for a second or two, lost after that.")
        .with_unit("{span}")
        .with_callback(move |observer| observer.observe(i64::try_from(tally.lost()).unwrap_or(i64::MAX), &[]))
        .build();
}

/// Sends what was counted since the last time, until `end` at most.
pub(crate) async fn shutdown(provider: SdkMeterProvider, end: Instant) {
    let (done, sent) = oneshot::channel();
    // The SDK takes its own time to stop. The runtime would wait for one of its own threads.
    std::thread::spawn(move || done.send(provider.shutdown()));
    match timeout_at(end, sent).await {
        Ok(Ok(Ok(()))) => {}
        Ok(Ok(Err(error))) => tracing::warn!(%error, "the last counts may be lost"),
        Ok(Err(_)) | Err(_) => tracing::warn!("the last counts may be lost"),
    }
}
