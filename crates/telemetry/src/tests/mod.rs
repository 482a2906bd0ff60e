//! The layers and filters of [`crate::init`] themselves, with spans and lines kept in memory.

mod baggage;
mod check;
mod context;
mod errors;
mod grpc;
mod http_client;
mod http_server;
mod log;
mod nesting;
mod panic;
mod postgres;
mod postgres_server;
mod recorder;
mod smtp;
mod task;
mod telemetry;

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, Once, PoisonError};
use std::time::Duration;

use opentelemetry::Value;
use opentelemetry::trace::Status;
use opentelemetry_sdk::trace::SpanData;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;
use tracing::Dispatch;
use tracing::dispatcher::DefaultGuard;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::log::{Format, LogFormat};
use crate::{Config, Telemetry, Trust, layers};

/// What a person might type: it must not appear in any span or line.
const WORDS: &str = "Jane-Doe-feels-bad";

/// Records this thread's spans and lines until it is dropped.
pub(crate) struct Recorder {
    spans: watch::Receiver<Vec<SpanData>>,
    lines: Lines,
    _default: DefaultGuard,
}

impl Recorder {
    pub(crate) fn start() -> Self {
        Self::logging("info")
    }

    /// With `RUST_LOG` set to `wanted`.
    fn logging(wanted: &str) -> Self {
        Self::with(wanted, Trust::default())
    }

    /// With this table of boundaries.
    fn trusting(trust: Trust) -> Self {
        Self::with("info", trust)
    }

    fn with(wanted: &str, trust: Trust) -> Self {
        let config = Config { trust, ..Config::new("test") };
        let (telemetry, recorder) = Telemetry::recorded(&config).unwrap();
        let spans = recorder.ended;
        let lines = Lines::default();
        let default = tracing_subscriber::registry()
            .with(telemetry.layers())
            .with(layers::lines(EnvFilter::new(wanted), Format::new(LogFormat::Json, "test", false), {
                let lines = lines.clone();
                move || lines.clone()
            }))
            .set_default();
        Self { spans, lines, _default: default }
    }

    /// A runtime whose blocking threads are recorded too; those of a `#[tokio::test]` are not.
    fn runtime() -> Runtime {
        let recorder = tracing::dispatcher::get_default(Dispatch::clone);
        let record = move || std::mem::forget(tracing::dispatcher::set_default(&recorder));
        Builder::new_current_thread().enable_all().on_thread_start(record).build().unwrap()
    }

    /// The spans that have ended.
    fn spans(&self) -> Vec<SpanData> {
        self.spans.borrow().clone()
    }

    /// Waits until `count` spans have ended; there must be no more of them.
    async fn ended(&mut self, count: usize) -> Vec<SpanData> {
        let enough = self.spans.wait_for(|spans| spans.len() >= count);
        let spans = tokio::time::timeout(Duration::from_secs(10), enough).await.unwrap().unwrap().clone();
        assert_eq!(spans.len(), count, "{spans:#?}");
        spans
    }

    /// Waits for the only span.
    async fn only(&mut self) -> SpanData {
        self.ended(1).await.remove(0)
    }

    /// The lines, each of which must be one JSON object.
    pub(crate) fn lines(&self) -> Vec<serde_json::Map<String, serde_json::Value>> {
        self.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn text(&self) -> String {
        let bytes = self.lines.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        String::from_utf8(bytes).unwrap()
    }

    /// Asserts that nothing of what a person has typed is in any span or line.
    fn assert_discreet(&self) {
        let spans = format!("{:?}", self.spans());
        assert!(!spans.contains(WORDS), "{spans}");
        assert!(!self.text().contains(WORDS), "{}", self.text());
    }
}

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A span's attributes; none may be there twice.
fn attributes(span: &SpanData) -> BTreeMap<&str, &Value> {
    let attributes: BTreeMap<_, _> = span.attributes.iter().map(|pair| (pair.key.as_str(), &pair.value)).collect();
    assert_eq!(attributes.len(), span.attributes.len(), "{:?}", span.attributes);
    attributes
}

/// An attribute as text, empty if there is none.
fn text(span: &SpanData, key: &str) -> String {
    attributes(span).get(key).map(ToString::to_string).unwrap_or_default()
}

/// Asserts that a span has failed, with this class.
#[track_caller]
fn assert_failed(span: &SpanData, error_type: &str) {
    assert_eq!(span.status, Status::error(""), "{span:#?}");
    assert_eq!(text(span, "error.type"), error_type, "{span:#?}");
}

#[track_caller]
fn assert_not_failed(span: &SpanData) {
    assert_eq!(span.status, Status::Unset, "{span:#?}");
    assert_eq!(text(span, "error.type"), "", "{span:#?}");
}

fn named<'a>(spans: &'a [SpanData], name: &str) -> &'a SpanData {
    spans.iter().find(|span| span.name == name).unwrap_or_else(|| panic!("no {name} in {spans:#?}"))
}

#[track_caller]
fn assert_child(child: &SpanData, parent: &SpanData) {
    assert_eq!(child.span_context.trace_id(), parent.span_context.trace_id());
    assert_eq!(child.parent_span_id, parent.span_context.span_id());
}

/// Reports panics as [`crate::panic::install_hook`] does, and prints them all the same: a test that
/// fails has to say why.
fn report_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            crate::report_panic(info.location());
            before(info);
        }));
    });
}
