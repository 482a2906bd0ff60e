use std::env;
use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::ExporterBuildError;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::resource::EnvResourceDetector;
use opentelemetry_sdk::trace::{self as sdk, SdkTracerProvider};
use tracing::Metadata;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::{FilterExt, filter_fn};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};
use uuid::Uuid;

use crate::config::{Batcher, Config, Sampler, UnknownSampler};
use crate::span::TARGET;
use crate::task::TASKS;
use crate::{exporter, log, panic};

/// Why telemetry could not start.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// The exporter's settings are wrong, such as an endpoint that is no URL.
    #[error("the span exporter cannot be built: {0}")]
    Build(#[from] ExporterBuildError),
    /// The exporter could not be made at all.
    #[error("the span exporter cannot be built")]
    Exporter,
    /// `OTEL_TRACES_SAMPLER` or its argument is none of the known ones.
    #[error(transparent)]
    Sampler(#[from] UnknownSampler),
    /// `OTEL_EXPORTER_OTLP_PROTOCOL` is none of the known ones.
    #[error("unknown OTEL_EXPORTER_OTLP_PROTOCOL {0:?}: give grpc or http/protobuf")]
    Protocol(String),
    /// Telemetry was started twice in one process.
    #[error("telemetry has been started before")]
    Twice,
}

/// Running telemetry. [`Telemetry::shutdown`] must be the last thing a process does.
#[derive(Debug)]
pub struct Telemetry {
    provider: SdkTracerProvider,
}

/// Starts exporter, sampler, propagation and JSON logs for this process.
///
/// `version` is the service's. Must run inside the runtime.
///
/// # Errors
/// When a setting makes no sense; an unreachable collector is no error.
pub async fn init(config: &Config, version: &'static str) -> Result<Telemetry, InitError> {
    // One provider for every TLS client of the process; a second start keeps the first one's.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let config = overridden(config.clone())?;
    let mut provider =
        SdkTracerProvider::builder().with_resource(resource(&config, version)).with_sampler(sampler(config.sampler));
    if let Some(processor) = exporter::processor(&config).await? {
        provider = provider.with_span_processor(processor);
    }
    let provider = provider.build();

    // Each layer has a filter of its own: one shared filter would cut spans out of the trees.
    let spans = tracing_opentelemetry::layer()
        .with_tracer(provider.tracer("epro"))
        .with_location(false)
        .with_threads(false)
        .with_target(false)
        .with_level(false)
        .with_tracked_inactivity(false)
        .with_filter(
            filter_fn(|metadata| metadata.is_span() && metadata.target() == TARGET)
                .with_max_level_hint(LevelFilter::INFO),
        );
    let lines = tracing_subscriber::fmt::layer().event_format(log::Json).with_filter(
        EnvFilter::try_from_default_env()
            .unwrap_or_else(|_| EnvFilter::new("info"))
            .and(filter_fn(|metadata: &Metadata<'_>| metadata.is_event() && log::permitted(metadata))),
    );
    tracing_subscriber::registry().with(spans).with(lines).try_init().map_err(|_| InitError::Twice)?;
    panic::install_hook();
    Ok(Telemetry { provider })
}

impl Telemetry {
    /// Waits for spawned tasks, then sends what is left of the spans. Both together take `deadline` at most.
    pub async fn shutdown(self, deadline: Duration) {
        let end = tokio::time::Instant::now() + deadline;
        TASKS.close();
        if tokio::time::timeout_at(end, TASKS.wait()).await.is_err() {
            tracing::warn!(tasks = TASKS.len(), "shutdown did not wait for all tasks");
        }
        // Spans that cannot be sent need a moment too: a collector that hangs must not eat the whole deadline.
        let left = end.saturating_duration_since(tokio::time::Instant::now()).max(Duration::from_secs(1));
        let provider = self.provider;
        match tokio::task::spawn_blocking(move || provider.shutdown_with_timeout(left)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "the last spans may be lost"),
            Err(_) => tracing::warn!("the last spans may be lost"),
        }
    }
}

/// Applies the standard `OTEL_*` variables; those of the batch processor are read where it is built.
fn overridden(mut config: Config) -> Result<Config, InitError> {
    let variable = |name| env::var(name).ok().filter(|value| !value.is_empty());
    if let Some(name) = variable("OTEL_SERVICE_NAME") {
        config.name = name;
    }
    let endpoint = variable("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT").or_else(|| variable("OTEL_EXPORTER_OTLP_ENDPOINT"));
    if let Some(endpoint) = endpoint {
        config.endpoint = endpoint;
    }
    let protocol = variable("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL").or_else(|| variable("OTEL_EXPORTER_OTLP_PROTOCOL"));
    match protocol.as_deref() {
        None => {}
        Some("grpc") => config.batcher = Batcher::OtlpGrpc,
        Some("http/protobuf") => config.batcher = Batcher::OtlpHttp,
        Some(other) => return Err(InitError::Protocol(other.to_owned())),
    }
    let off = variable("OTEL_SDK_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true"));
    if off || variable("OTEL_TRACES_EXPORTER").as_deref() == Some("none") {
        config.batcher = Batcher::None;
    }
    if let Some(name) = variable("OTEL_TRACES_SAMPLER") {
        config.sampler = match name.trim_start_matches("parentbased_") {
            "traceidratio" => variable("OTEL_TRACES_SAMPLER_ARG").as_deref().unwrap_or("1").parse()?,
            other => other.parse()?,
        };
    }
    Ok(config)
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

fn sampler(sampler: Sampler) -> sdk::Sampler {
    sdk::Sampler::ParentBased(Box::new(match sampler {
        Sampler::AlwaysOn => sdk::Sampler::AlwaysOn,
        Sampler::AlwaysOff => sdk::Sampler::AlwaysOff,
        Sampler::Ratio(ratio) => sdk::Sampler::TraceIdRatioBased(ratio),
    }))
}
