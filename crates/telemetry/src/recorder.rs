use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use opentelemetry::trace::{SpanKind, Status};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SdkTracerProvider, SimpleSpanProcessor, SpanData, SpanExporter};
use tokio::sync::watch;
use tokio::time::timeout;

use crate::config::settings::Settings;
use crate::conventions::ERROR_TYPE;
use crate::init::InitError;
use crate::sampling::Sampling;
use crate::telemetry::Tracing;
use crate::{Config, Telemetry};

/// How long a test waits for its spans.
const PATIENCE: Duration = Duration::from_secs(10);

/// The spans of a test, in memory.
///
/// ```
/// # async fn test() -> Result<(), Box<dyn std::error::Error>> {
/// use telemetry::{Config, Task, Telemetry, step};
///
/// let (telemetry, mut recorder) = Telemetry::recorded(&Config::new("shop"))?;
/// telemetry.scope(step("pack", async { Task::internal("print the label").spawn(async {}).await })).await?;
/// assert_eq!(recorder.tree(2).await?, "INTERNAL pack\n  INTERNAL print the label\n");
/// # Ok(())
/// # }
/// # tokio::runtime::Runtime::new().unwrap().block_on(test()).unwrap();
/// ```
#[derive(Debug)]
pub struct Recorder {
    pub(crate) ended: watch::Receiver<Vec<SpanData>>,
}

impl Telemetry {
    /// For tests: ended spans stay in memory and are not exported, and the standard variables are ignored. What
    /// `config` says about sampling by a ratio, trust and `tracing` spans applies.
    ///
    /// # Errors
    /// When the configuration is invalid.
    pub fn recorded(config: &Config) -> Result<(Self, Recorder), InitError> {
        // TLS clients of a test need a provider, which in a service `init` installs.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let (sender, ended) = watch::channel(Vec::new());
        let settings = Settings { spans: None, metrics: None, ..Settings::new(config, "", |_| None) };
        let sampling = Sampling::new(settings.sampler.clone(), settings.follows_parents, config);
        let provider = SdkTracerProvider::builder()
            .with_sampler(sampling.clone())
            .with_span_processor(SimpleSpanProcessor::new(Memory(sender)))
            .build();
        let tracing = Tracing::new(provider, sampling, true, None);
        let mut telemetry = Self::with_settings(config, settings)?;
        if let Some(inner) = Arc::get_mut(&mut telemetry.0) {
            inner.tracing = Some(tracing);
        }
        Ok((telemetry, Recorder { ended }))
    }
}

impl Recorder {
    /// Waits until `count` spans have ended and draws all ended spans as a tree: one line for each with its kind, its
    /// name and, if it failed, its error class. Children are indented, in the order of their start.
    ///
    /// # Errors
    /// When fewer have ended after ten seconds.
    pub async fn tree(&mut self, count: usize) -> Result<String, TooFew> {
        let enough = timeout(PATIENCE, self.ended.wait_for(|spans| spans.len() >= count)).await;
        let enough = enough.is_ok_and(|spans| spans.is_ok());
        let mut spans = self.ended.borrow().clone();
        spans.sort_by_key(|span| span.start_time);
        let is_root = |span: &&SpanData| spans.iter().all(|other| other.span_context.span_id() != span.parent_span_id);
        let mut tree = String::new();
        spans.iter().filter(is_root).for_each(|root| draw(root, &spans, 0, &mut tree));
        if enough { Ok(tree) } else { Err(TooFew { count, tree }) }
    }

    /// An attribute of the first span with this name that has ended.
    pub fn attribute(&self, span: &str, key: &str) -> Option<String> {
        let spans = self.ended.borrow();
        attribute(spans.iter().find(|ended| ended.name == span)?, key)
    }
}

/// Fewer spans have ended than a test has waited for.
#[derive(Debug, thiserror::Error)]
#[error("there are no {count} spans that have ended, but:\n{tree}")]
pub struct TooFew {
    count: usize,
    tree: String,
}

fn attribute(span: &SpanData, key: &str) -> Option<String> {
    span.attributes.iter().find(|pair| pair.key.as_str() == key).map(|pair| pair.value.to_string())
}

fn draw(span: &SpanData, spans: &[SpanData], depth: usize, tree: &mut String) {
    let kind = match span.span_kind {
        SpanKind::Client => "CLIENT",
        SpanKind::Server => "SERVER",
        SpanKind::Producer => "PRODUCER",
        SpanKind::Consumer => "CONSUMER",
        SpanKind::Internal => "INTERNAL",
    };
    // Writing to a String cannot fail.
    let _ = write!(tree, "{:1$}{kind} {2}", "", depth * 2, span.name);
    if matches!(span.status, Status::Error { .. }) {
        let _ = write!(tree, ", failed: {}", attribute(span, ERROR_TYPE).unwrap_or_default());
    }
    tree.push('\n');
    let below = spans.iter().filter(|other| other.parent_span_id == span.span_context.span_id());
    below.for_each(|child| draw(child, spans, depth + 1, tree));
}

#[derive(Debug)]
struct Memory(watch::Sender<Vec<SpanData>>);

impl SpanExporter for Memory {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        self.0.send_modify(|spans| spans.extend(batch));
        Ok(())
    }
}
