use std::env;
use std::io;
use std::sync::Arc;

use opentelemetry::InstrumentationScope;
use opentelemetry::trace::TracerProvider;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing::Subscriber;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};

use crate::config::settings::Settings;
use crate::config::{Config, Sampler};
use crate::conventions::{SCHEMA_URL, SERVICE_NAME};
use crate::export::Processor;
use crate::metrics::Meters;
use crate::propagation::{Keep, Propagators};
use crate::sampling::Sampling;
use crate::telemetry::{Handle, Inner, Telemetry, Tracing};
use crate::{layers, log, panic};

/// Why telemetry could not start. An invalid standard variable, an unreadable file and an absent receiver do not stop
/// it.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// `spans` is not a list of targets and levels.
    #[error("telemetry.spans is not a list of targets and levels: {0}")]
    Spans(#[from] tracing_subscriber::filter::ParseError),
    /// The secret of `keep` is so short that it could be guessed.
    #[error("telemetry.keep.secret is shorter than 32 bytes")]
    KeepSecret,
    /// A thread cannot be started.
    #[error("a thread cannot be started: {0}")]
    Thread(#[from] std::io::Error),
    /// There is a `tracing` subscriber already.
    #[error("telemetry has been started before")]
    Twice,
}

/// Starts exporters, sampler, propagation and JSON logs for this process. It installs the parts of which a process has
/// only one: the `tracing` subscriber, the panic hook and the TLS provider. An application that has its own of these
/// uses [`Telemetry::start`] and [`Telemetry::layers`].
///
/// `version` is the service's.
///
/// # Errors
/// When the configuration is invalid, or there is a `tracing` subscriber already.
pub fn init(config: &Config, version: &str) -> Result<Telemetry, InitError> {
    // One provider for every TLS client of the process; a second start keeps the first one's.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let telemetry = Telemetry::with_settings(config, settings(config, version))?;
    let (writer, format) = log::stdout(&config.log, &telemetry.0.name)?;
    let mut wanted = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    if let Some(level) = telemetry.0.log_level {
        wanted = wanted.add_directive(format!("{}={level}", env!("CARGO_PKG_NAME")).parse().unwrap_or_default());
    }
    tracing_subscriber::registry()
        .with(telemetry.layers())
        .with(layers::lines(wanted, format, writer.clone()))
        .try_init()
        .map_err(|_| InitError::Twice)?;
    panic::install_hook();
    if let Some(meters) = &telemetry.0.meters {
        meters.observe_log(writer.clone());
    }
    let _ = telemetry.0.log.set(log::Closing(writer));
    for warning in &telemetry.0.warnings {
        tracing::warn!("{warning}");
    }
    // After the subscriber is set, because it may log.
    telemetry.watch(config)?;
    Ok(telemetry)
}

fn settings(config: &Config, version: &str) -> Settings {
    Settings::new(config, version, |name| env::var(name).ok())
}

impl Telemetry {
    /// Starts exporters, sampler and propagation, and installs nothing process-wide. It serves instruments within
    /// [`Telemetry::scope`], or under a subscriber with [`Telemetry::layers`].
    ///
    /// # Errors
    /// When the configuration is invalid.
    pub fn start(config: &Config, version: &str) -> Result<Self, InitError> {
        let telemetry = Self::with_settings(config, settings(config, version))?;
        telemetry.watch(config)?;
        Ok(telemetry)
    }

    /// Starts to watch the sampling strategies and rules that may change.
    fn watch(&self, config: &Config) -> io::Result<()> {
        match &self.0.tracing {
            Some(tracing) => tracing.sampling.watch(&self.0.name, &config.tls),
            None => Ok(()),
        }
    }

    pub(crate) fn with_settings(config: &Config, settings: Settings) -> Result<Self, InitError> {
        let keep = match &config.keep {
            None => None,
            Some(keep) => Some(Keep::new(keep).ok_or(InitError::KeepSecret)?),
        };
        let resource = Resource::builder_empty().with_attributes(settings.resource.iter().cloned()).build();
        let name = settings.resource.iter().find(|pair| pair.key.as_str() == SERVICE_NAME);
        let mut inner = Inner {
            name: name.map(|pair| pair.value.to_string()).unwrap_or_default(),
            propagators: Propagators::new(&settings.propagators),
            trust: config.trust.clone(),
            spans: config.spans.parse()?,
            keep,
            log_level: settings.log_level,
            warnings: settings.warnings,
            ..Inner::default()
        };
        if settings.disabled {
            return Ok(Self(Arc::new(inner)));
        }
        if let Some(metrics) = &settings.metrics {
            inner.meters = Some(Meters::start(metrics, resource.clone())?);
        }
        let sampling = Sampling::new(settings.sampler.clone(), settings.follows_parents, config);
        let mut provider = SdkTracerProvider::builder()
            .with_resource(resource.clone())
            .with_sampler(sampling.clone())
            .with_span_limits(settings.limits);
        if let Some(exporter) = settings.spans {
            let errors = if let Sampler::Errors(errors) = &settings.sampler { Some(errors) } else { None };
            let processor = Processor::start(exporter, settings.queue, errors, &resource, settings.value_length)?;
            if let Some(meters) = &inner.meters {
                meters.observe_export(&processor);
            }
            inner.processor = Some(processor.clone());
            provider = provider.with_span_processor(processor);
        }
        inner.tracing =
            Some(Tracing::new(provider.build(), sampling, inner.processor.is_some(), inner.processor.clone()));
        Ok(Self(Arc::new(inner)))
    }

    /// The layers for a `tracing` subscriber. With them the spans of the application's own code join the trace, and
    /// instruments find this telemetry.
    pub fn layers<S>(&self) -> impl Layer<S> + Send + Sync + use<S>
    where
        S: Subscriber + for<'span> LookupSpan<'span> + Send + Sync,
    {
        let tracing = self.0.tracing.as_ref();
        let spans = tracing.map(|tracing| layers::spans(tracing.tracer.clone(), self.0.spans.clone()));
        Handle(self.clone()).with_filter(LevelFilter::OFF).and_then(spans)
    }
}

impl Tracing {
    /// Undecided traces wait in `processor`, if it buffers any.
    pub(crate) fn new(
        provider: SdkTracerProvider,
        sampling: Sampling,
        exports: bool,
        processor: Option<Processor>,
    ) -> Self {
        let scope = InstrumentationScope::builder(env!("CARGO_PKG_NAME"))
            .with_version(env!("CARGO_PKG_VERSION"))
            .with_schema_url(SCHEMA_URL)
            .build();
        let undecided = processor.filter(Processor::holds_undecided);
        Self { tracer: provider.tracer_with_scope(scope), provider, sampling, exports, undecided }
    }
}
