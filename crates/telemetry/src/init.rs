use std::env;
use std::sync::Arc;

use opentelemetry::trace::TracerProvider;
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_otlp::ExporterBuildError;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::resource::EnvResourceDetector;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing::Subscriber;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};
use uuid::Uuid;

use crate::config::{Config, UnknownSampler};
use crate::conventions::SCHEMA_URL;
use crate::exporter::{self, Tally};
use crate::propagation::{Continuation, Incoming, Propagator, Propagators, Trust};
use crate::sampling::Sampling;
use crate::telemetry::{Handle, Inner, Telemetry, Tracing};
use crate::{layers, log, metrics, panic};

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
    /// The thread that writes log lines cannot be started.
    #[error("log lines cannot be written: {0}")]
    Log(#[from] std::io::Error),
    /// Telemetry was started twice in one process.
    #[error("telemetry has been started before")]
    Twice,
}

/// Starts exporters, sampler, propagation and JSON logs for this process, and takes over what there is one of in a
/// process: the `tracing` subscriber, the panic hook and the TLS provider. An application that has its own of these
/// uses [`Telemetry::start`] and [`Telemetry::layers`].
///
/// `version` is the service's. Must run inside the runtime.
///
/// # Errors
/// When a setting makes no sense; an unreachable collector is no error.
pub async fn init(config: &Config, version: &'static str) -> Result<Telemetry, InitError> {
    // One provider for every TLS client of the process; a second start keeps the first one's.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let telemetry = Telemetry::start(config, version).await?;
    let (writer, format) = log::stdout(&config.log, &config.name)?;
    let wanted = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::registry()
        .with(telemetry.layers())
        .with(layers::lines(wanted, format, writer.clone()))
        .try_init()
        .map_err(|_| InitError::Twice)?;
    panic::install_hook();
    let _ = telemetry.0.log.set(log::Closing(writer));
    Ok(telemetry)
}

impl Telemetry {
    /// Starts exporters, sampler and propagation, and nothing that a process has one of.
    ///
    /// # Errors
    /// When a setting makes no sense; an unreachable collector is no error.
    pub async fn start(config: &Config, version: &'static str) -> Result<Self, InitError> {
        let config = config.clone().overridden(|name| env::var(name).ok())?;
        let tally = Arc::new(Tally::default());
        let resource = resource(&config, version);
        let meters = metrics::provider(&config, resource.clone()).await?;
        let processor = exporter::processor(&config, &tally).await?;
        let exports = processor.is_some();
        let sampling = Sampling::new(config.sampler, true);
        let mut provider = SdkTracerProvider::builder().with_resource(resource).with_sampler(sampling.clone());
        if let Some(processor) = processor {
            provider = provider.with_span_processor(processor);
        }
        if let Some(meters) = &meters {
            metrics::start(meters, &tally);
        }
        let tracing = Tracing::new(provider.build(), sampling, exports);
        let ingress = if config.trust_remote_context { Continuation::Continue } else { Continuation::Link };
        let trust = Trust { ingress: Incoming { trace: ingress, ..Incoming::default() }, ..Trust::default() };
        let propagators = Propagators::new(&[Propagator::TraceContext, Propagator::Baggage]);
        Ok(Self(Arc::new(Inner { tracing: Some(tracing), propagators, trust, meters, tally, ..Inner::default() })))
    }

    /// What a `tracing` subscriber needs, so that the spans of the application's own code join the trace, and
    /// instruments find their way here.
    pub fn layers<S>(&self) -> impl Layer<S> + Send + Sync + use<S>
    where
        S: Subscriber + for<'span> LookupSpan<'span> + Send + Sync,
    {
        let spans = self.0.tracing.as_ref().map(|tracing| layers::spans(tracing.tracer.clone()));
        Handle(self.clone()).with_filter(LevelFilter::OFF).and_then(spans)
    }
}

impl Tracing {
    pub(crate) fn new(provider: SdkTracerProvider, sampling: Sampling, exports: bool) -> Self {
        let scope = InstrumentationScope::builder(env!("CARGO_PKG_NAME"))
            .with_version(env!("CARGO_PKG_VERSION"))
            .with_schema_url(SCHEMA_URL)
            .build();
        Self { tracer: provider.tracer_with_scope(scope), provider, sampling, exports }
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
