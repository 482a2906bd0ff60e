//! The result of the configuration and the standard variables, in the types that the rest of the crate uses.

mod otlp;
mod sampler;

use std::time::Duration;

use ::http::{HeaderName, HeaderValue, Uri};
use opentelemetry::KeyValue;
use opentelemetry_sdk::resource::{ResourceDetector, TelemetryResourceDetector};
use opentelemetry_sdk::trace::SpanLimits;
use tracing::level_filters::LevelFilter;
use uuid::Uuid;

use super::variables::Variables;
use super::{Batcher, Config, Metrics, Queue, Sampler, Tls};
use crate::conventions::{DEPLOYMENT_ENVIRONMENT_NAME, HOST_NAME, SERVICE_INSTANCE_ID, SERVICE_NAME, SERVICE_VERSION};
use crate::propagation::Propagator;

/// All settings, resolved before anything is built.
#[derive(Debug)]
pub(crate) struct Settings {
    /// No span, no metric; a caller's context passes through untouched.
    pub(crate) disabled: bool,
    /// Attributes of the resource, each key once.
    pub(crate) resource: Vec<KeyValue>,
    pub(crate) sampler: Sampler,
    /// Whether the sampler decides on roots only.
    pub(crate) follows_parents: bool,
    pub(crate) limits: SpanLimits,
    /// The longest text of an attribute, in characters.
    pub(crate) value_length: Option<usize>,
    pub(crate) propagators: Vec<Propagator>,
    /// How spans are exported. With `None` they are not, but ids are still propagated.
    pub(crate) spans: Option<Exporter>,
    pub(crate) queue: Queue,
    /// How metrics are exported; with `None` nothing is measured.
    pub(crate) metrics: Option<MetricExport>,
    /// The log level of this crate, if it differs from the general one.
    pub(crate) log_level: Option<LevelFilter>,
    /// One warning for each setting that is ignored because it is invalid or unsupported; logged once the log runs.
    pub(crate) warnings: Vec<String>,
}

/// How spans leave the process.
#[derive(Debug)]
pub(crate) enum Exporter {
    /// One line each on standard output.
    Stdout,
    Otlp(Box<Otlp>),
}

/// The receiver of OTLP exports and how to reach it.
#[derive(Debug, Clone)]
pub(crate) struct Otlp {
    pub(crate) protocol: Protocol,
    /// For HTTP the whole URL with its path, for gRPC scheme, host and port.
    pub(crate) endpoint: Uri,
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    pub(crate) gzip: bool,
    /// The timeout of one export, retries included; `None` means no limit.
    pub(crate) timeout: Option<Duration>,
    pub(crate) tls: Tls,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    Grpc,
    HttpProtobuf,
}

#[derive(Debug)]
pub(crate) struct MetricExport {
    pub(crate) otlp: Otlp,
    pub(crate) interval: Duration,
    pub(crate) temporality: Temporality,
    /// Whether histograms are exponential, instead of having the buckets of the conventions.
    pub(crate) exponential: bool,
}

/// The time from which an exported number counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Temporality {
    /// The start of the process.
    Cumulative,
    /// The previous export.
    Delta,
    /// As delta, except where the SDK would have to remember previous numbers for it.
    LowMemory,
}

/// A signal: its part in the names of variables, and its path over HTTP.
#[derive(Clone, Copy)]
struct Signal {
    name: &'static str,
    path: &'static str,
}

impl Signal {
    /// Reads the signal's own variable, or else that of all signals.
    fn own_or_general<T>(self, what: &str, read: impl Fn(&str) -> Option<T>) -> Option<T> {
        let own = read(&format!("OTEL_EXPORTER_OTLP_{}_{what}", self.name));
        own.or_else(|| read(&format!("OTEL_EXPORTER_OTLP_{what}")))
    }
}

const TRACES: Signal = Signal { name: "TRACES", path: "v1/traces" };
const METRICS: Signal = Signal { name: "METRICS", path: "v1/metrics" };

/// Standard variables that this crate does not support.
const UNSUPPORTED: [&str; 5] = [
    "OTEL_CONFIG_FILE",
    "OTEL_ENTITIES",
    "OTEL_METRICS_EXEMPLAR_FILTER",
    "OTEL_EXPORTER_ZIPKIN_ENDPOINT",
    "OTEL_EXPORTER_PROMETHEUS_HOST",
];

impl Settings {
    /// Applies the standard variables, which `read` looks up, to a configuration. `version` is the service's.
    pub(crate) fn new(config: &Config, version: &str, read: impl Fn(&str) -> Option<String>) -> Self {
        let builder = Builder { config, variables: Variables::new(read) };
        let disabled = builder.variables.boolean("OTEL_SDK_DISABLED").unwrap_or(false);
        let (sampler, follows_parents) = builder.sampler();
        let (limits, value_length) = builder.limits();
        let mut settings = Self {
            disabled,
            resource: builder.resource(version),
            sampler,
            follows_parents,
            limits,
            value_length,
            propagators: builder.propagators(),
            spans: builder.spans(),
            queue: builder.queue(),
            metrics: builder.metrics(),
            log_level: builder.log_level(),
            warnings: Vec::new(),
        };
        builder.warn_of_unsupported();
        settings.warnings = builder.variables.warnings();
        settings
    }
}

struct Builder<'c, F> {
    config: &'c Config,
    variables: Variables<F>,
}

impl<F: Fn(&str) -> Option<String>> Builder<'_, F> {
    fn warn_of_unsupported(&self) {
        self.variables.choice("OTEL_LOGS_EXPORTER", &[("none", ())]);
        for name in UNSUPPORTED {
            if self.variables.text(name).is_some() {
                self.variables.warn(format!("{name} has no meaning here"));
            }
        }
    }

    fn resource(&self, version: &str) -> Vec<KeyValue> {
        let config = self.config;
        let defaults = [
            (SERVICE_NAME, config.name.clone()),
            (SERVICE_VERSION, version.to_owned()),
            (SERVICE_INSTANCE_ID, Uuid::new_v4().to_string()),
            (DEPLOYMENT_ENVIRONMENT_NAME, config.environment.clone()),
            // Without it Jaeger takes two services on one machine for two machines, and their clocks for skewed.
            (HOST_NAME, rustix::system::uname().nodename().to_string_lossy().into_owned()),
        ];
        let sdk = TelemetryResourceDetector.detect();
        let sdk = sdk.iter().map(|(key, value)| (key.to_string(), value.to_string()));
        let defaults = defaults.into_iter().map(|(key, value)| (key.to_owned(), value)).chain(sdk);
        let configured = config.resource.clone().into_iter();
        let set = self.variables.pairs("OTEL_RESOURCE_ATTRIBUTES").into_iter();
        let name = self.variables.text("OTEL_SERVICE_NAME").map(|name| (SERVICE_NAME.to_owned(), name));
        let mut resource = Vec::<KeyValue>::new();
        for (key, value) in defaults.chain(configured).chain(set).chain(name) {
            resource.retain(|pair| pair.key.as_str() != key);
            resource.push(KeyValue::new(key, value));
        }
        resource
    }

    fn limits(&self) -> (SpanLimits, Option<usize>) {
        let either = |own: &str, general: &str| self.variables.number(own).or_else(|| self.variables.number(general));
        let defaults = SpanLimits::default();
        let number = |name: &str, default: u32| self.variables.number(name).unwrap_or(default);
        let attributes = either("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "OTEL_ATTRIBUTE_COUNT_LIMIT");
        let limits = SpanLimits {
            max_attributes_per_span: attributes.unwrap_or(defaults.max_attributes_per_span),
            max_events_per_span: number("OTEL_SPAN_EVENT_COUNT_LIMIT", defaults.max_events_per_span),
            max_links_per_span: number("OTEL_SPAN_LINK_COUNT_LIMIT", defaults.max_links_per_span),
            max_attributes_per_event: number("OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT", defaults.max_attributes_per_event),
            max_attributes_per_link: number("OTEL_LINK_ATTRIBUTE_COUNT_LIMIT", defaults.max_attributes_per_link),
        };
        let length = |name: &str| self.variables.number(name);
        let value_length =
            length("OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT").or_else(|| length("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT"));
        (limits, value_length)
    }

    fn propagators(&self) -> Vec<Propagator> {
        const NAMES: [(&str, Propagator); 5] = [
            ("tracecontext", Propagator::TraceContext),
            ("baggage", Propagator::Baggage),
            ("b3", Propagator::B3),
            ("b3multi", Propagator::B3Multi),
            ("jaeger", Propagator::Jaeger),
        ];
        let Some(list) = self.variables.text("OTEL_PROPAGATORS") else { return self.config.propagators.clone() };
        let mut propagators = Vec::new();
        for name in list.split(',').map(str::trim).filter(|name| !name.is_empty()) {
            if name.eq_ignore_ascii_case("none") {
                return Vec::new();
            }
            match NAMES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)) {
                Some((_, propagator)) if propagators.contains(propagator) => {}
                Some((_, propagator)) => propagators.push(*propagator),
                None => self.variables.warn(format!("{name:?} in OTEL_PROPAGATORS is none that is known")),
            }
        }
        if propagators.is_empty() { self.config.propagators.clone() } else { propagators }
    }

    fn spans(&self) -> Option<Exporter> {
        let chosen = self
            .variables
            .choice("OTEL_TRACES_EXPORTER", &[("otlp", Some(true)), ("console", Some(false)), ("none", None)]);
        let configured = match self.config.batcher {
            Batcher::OtlpGrpc | Batcher::OtlpHttp => Some(true),
            Batcher::Stdout => Some(false),
            Batcher::None => None,
        };
        let over_otlp = chosen.unwrap_or(configured)?;
        Some(if over_otlp { Exporter::Otlp(Box::new(self.otlp(TRACES))) } else { Exporter::Stdout })
    }

    fn queue(&self) -> Queue {
        let (variables, configured) = (&self.variables, self.config.queue);
        let positive = |name: &str, default: usize| variables.number(name).filter(|n| *n > 0).unwrap_or(default).max(1);
        let size = positive("OTEL_BSP_MAX_QUEUE_SIZE", configured.size);
        Queue {
            size,
            batch: positive("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", configured.batch).min(size),
            delay: variables.milliseconds("OTEL_BSP_SCHEDULE_DELAY").unwrap_or(configured.delay),
            timeout: variables.milliseconds("OTEL_BSP_EXPORT_TIMEOUT").unwrap_or(configured.timeout),
        }
    }

    fn metrics(&self) -> Option<MetricExport> {
        let words = [("none", Metrics::None), ("otlp", Metrics::Otlp)];
        // A build without metrics accepts only `none`.
        let words = if cfg!(feature = "metrics") { &words[..] } else { &words[..1] };
        let chosen = self.variables.choice("OTEL_METRICS_EXPORTER", words).unwrap_or(self.config.metrics);
        let interval = self.variables.milliseconds("OTEL_METRIC_EXPORT_INTERVAL");
        let timeout = self.variables.milliseconds("OTEL_METRIC_EXPORT_TIMEOUT");
        let words = [
            ("cumulative", Temporality::Cumulative),
            ("delta", Temporality::Delta),
            ("lowmemory", Temporality::LowMemory),
        ];
        let temporality = self.variables.choice("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", &words);
        let words = [("explicit_bucket_histogram", false), ("base2_exponential_bucket_histogram", true)];
        let exponential = self.variables.choice("OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION", &words);
        if chosen == Metrics::None {
            return None;
        }
        let mut otlp = self.otlp(METRICS);
        otlp.timeout = timeout.filter(|timeout| !timeout.is_zero()).or(otlp.timeout);
        let interval = interval.filter(|interval| !interval.is_zero()).unwrap_or(self.config.metric_interval);
        let temporality = temporality.unwrap_or(Temporality::Cumulative);
        Some(MetricExport { otlp, interval, temporality, exponential: exponential.unwrap_or(false) })
    }

    fn log_level(&self) -> Option<LevelFilter> {
        self.variables.choice(
            "OTEL_LOG_LEVEL",
            &[
                ("none", LevelFilter::OFF),
                ("error", LevelFilter::ERROR),
                ("warn", LevelFilter::WARN),
                ("info", LevelFilter::INFO),
                ("debug", LevelFilter::DEBUG),
                ("verbose", LevelFilter::TRACE),
                ("trace", LevelFilter::TRACE),
            ],
        )
    }
}
