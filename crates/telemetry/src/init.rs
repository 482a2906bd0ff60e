use std::env;
use std::sync::Arc;
use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::ExporterBuildError;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use opentelemetry_sdk::resource::EnvResourceDetector;
use opentelemetry_sdk::trace::{self as sdk, SdkTracerProvider};
use tokio::time::Instant;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use uuid::Uuid;

use crate::config::{Config, Sampler, UnknownSampler};
use crate::exporter::{self, Tally};
use crate::task::TASKS;
use crate::{layers, metrics, panic};

/// What of the time to stop belongs to the last spans, however long the tasks take.
const FLUSH: Duration = Duration::from_secs(1);

/// Why telemetry could not start.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// The exporter's settings are wrong, such as an endpoint that is no URL.
    #[error("an exporter cannot be built: {0}")]
    Build(#[from] ExporterBuildError),
    /// The exporter could not be made at all.
    #[error("an exporter cannot be built")]
    Exporter,
    /// `OTEL_TRACES_SAMPLER` or its argument is none of the known ones.
    #[error(transparent)]
    Sampler(#[from] UnknownSampler),
    /// `OTEL_EXPORTER_OTLP_PROTOCOL` is none of the known ones.
    #[error("unknown OTEL_EXPORTER_OTLP_PROTOCOL {0:?}: give grpc or http/protobuf")]
    Protocol(String),
    /// `OTEL_TRACES_EXPORTER` is none of the known ones.
    #[error("unknown OTEL_TRACES_EXPORTER {0:?}: give otlp, console or none")]
    TracesExporter(String),
    /// `OTEL_METRICS_EXPORTER` is none of the known ones.
    #[error("unknown OTEL_METRICS_EXPORTER {0:?}: give otlp or none")]
    MetricsExporter(String),
    /// Telemetry was started twice in one process.
    #[error("telemetry has been started before")]
    Twice,
}

/// Running telemetry. [`Telemetry::shutdown`] must be the last thing a process does.
#[derive(Debug)]
pub struct Telemetry {
    provider: SdkTracerProvider,
    meters: Option<SdkMeterProvider>,
    tally: Arc<Tally>,
}

/// Starts exporters, sampler, propagation and JSON logs for this process.
///
/// `version` is the service's. Must run inside the runtime.
///
/// # Errors
/// When a setting makes no sense; an unreachable collector is no error.
pub async fn init(config: &Config, version: &'static str) -> Result<Telemetry, InitError> {
    // One provider for every TLS client of the process; a second start keeps the first one's.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let config = config.clone().overridden(|name| env::var(name).ok())?;
    let tally = Arc::new(Tally::default());
    let resource = resource(&config, version);
    let meters = metrics::provider(&config, resource.clone()).await?;
    let mut provider = SdkTracerProvider::builder().with_resource(resource).with_sampler(sampler(config.sampler));
    if let Some(processor) = exporter::processor(&config, &tally).await? {
        provider = provider.with_span_processor(processor);
    }
    let provider = provider.build();
    let wanted = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::registry()
        .with(layers::spans(provider.tracer("epro")))
        .with(layers::lines(wanted, std::io::stdout))
        .try_init()
        .map_err(|_| InitError::Twice)?;
    panic::install_hook();
    if let Some(meters) = &meters {
        metrics::start(meters, &tally);
    }
    Ok(Telemetry { provider, meters, tally })
}

impl Telemetry {
    /// Waits for spawned tasks, then sends what is left of the spans, then of the counts. All together
    /// take `deadline` at most.
    pub async fn shutdown(self, deadline: Duration) {
        let end = Instant::now() + deadline;
        TASKS.close();
        if tokio::time::timeout_at(end - FLUSH.min(deadline / 2), TASKS.wait()).await.is_err() {
            tracing::warn!(tasks = TASKS.len(), "shutdown did not wait for all tasks");
        }
        let left = end.saturating_duration_since(Instant::now());
        let Self { provider, meters, tally } = self;
        // An exporter that hangs is left behind in its own thread.
        let flush = tokio::task::spawn_blocking(move || provider.shutdown_with_timeout(left));
        if let Ok(Err(error)) = flush.await {
            tracing::warn!(%error, "the last spans may be lost");
        }
        // After the spans, for what they have cost is counted too.
        if let Some(meters) = meters {
            metrics::shutdown(meters, end).await;
        }
        let lost_spans = tally.lost();
        if lost_spans > 0 {
            tracing::warn!(lost_spans, ended_spans = tally.ended(), "spans were lost");
        }
    }
}

fn resource(config: &Config, version: &'static str) -> Resource {
    Resource::builder_empty()
        .with_attributes([
            KeyValue::new("service.version", version),
            KeyValue::new("service.instance.id", Uuid::new_v4().to_string()),
            KeyValue::new("deployment.environment.name", config.environment.clone()),
        ])
        .with_detector(Box::new(EnvResourceDetector::new()))
        .with_attribute(KeyValue::new("service.name", config.name.clone()))
        .build()
}

pub(crate) fn sampler(sampler: Sampler) -> sdk::Sampler {
    sdk::Sampler::ParentBased(Box::new(match sampler {
        Sampler::AlwaysOn => sdk::Sampler::AlwaysOn,
        Sampler::AlwaysOff => sdk::Sampler::AlwaysOff,
        Sampler::Ratio(ratio) => sdk::Sampler::TraceIdRatioBased(ratio),
    }))
}
