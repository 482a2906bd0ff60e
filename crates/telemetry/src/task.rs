use std::future::Future;
use std::sync::LazyLock;

use opentelemetry::trace::{SpanContext, TraceContextExt, TraceFlags, TraceState};
use opentelemetry::{Context, Value};
use opentelemetry_sdk::trace::{IdGenerator, RandomIdGenerator};
use tokio::task::JoinHandle;
use tokio_util::task::TaskTracker;
use tracing::{Instrument, Span, info_span};
use tracing_opentelemetry::OpenTelemetrySpanExt;

use crate::TraceContext;
use crate::context::set_parent;
use crate::span::{TARGET, Unfinished};

/// Every spawned task of the process, so that shutdown can wait for them.
pub(crate) static TASKS: LazyLock<TaskTracker> = LazyLock::new(TaskTracker::new);

/// Work that runs on its own and stays in the trace that caused it. Shutdown waits for it.
///
/// ```no_run
/// # async fn doc() {
/// telemetry::Task::producer("hint notification").spawn(async { /* tell somebody */ });
/// # }
/// ```
#[derive(Debug)]
#[must_use = "a task does nothing until it is spawned"]
pub struct Task {
    name: &'static str,
    kind: &'static str,
    parent: Option<TraceContext>,
    attributes: Vec<(&'static str, Value)>,
}

impl Task {
    /// A part of this service's own work.
    pub fn internal(name: &'static str) -> Self {
        Self { name, kind: "internal", parent: None, attributes: Vec::new() }
    }

    /// Hands work to somebody who does it later.
    pub fn producer(name: &'static str) -> Self {
        Self { kind: "producer", ..Self::internal(name) }.messaging("send")
    }

    /// Does work that was handed over earlier.
    pub fn consumer(name: &'static str) -> Self {
        Self { kind: "consumer", ..Self::internal(name) }.messaging("process")
    }

    /// What the messaging conventions ask of every span that hands work over.
    fn messaging(self, operation_type: &'static str) -> Self {
        let name = self.name;
        self.attribute("messaging.system", "outbox")
            .attribute("messaging.operation.name", name)
            .attribute("messaging.operation.type", operation_type)
    }

    /// Joins the trace of a stored context instead of the current one.
    pub fn parent(mut self, parent: TraceContext) -> Self {
        self.parent = Some(parent);
        self
    }

    /// Shows a count, a random id or a class on the span; never anything a person has typed.
    pub fn attribute(mut self, key: &'static str, value: impl Into<Value>) -> Self {
        self.attributes.push((key, value.into()));
        self
    }

    /// Runs the future on the runtime.
    pub fn spawn<F>(self, future: F) -> JoinHandle<F::Output>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        let span = self.span();
        let unfinished = Unfinished::new(&span);
        let traced = async move {
            let output = future.await;
            unfinished.finished();
            output
        };
        TASKS.spawn(traced.instrument(span))
    }

    /// Runs the function on a thread where it may block, or compute for long.
    pub fn spawn_blocking<F, T>(self, function: F) -> JoinHandle<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        let span = self.span();
        let unfinished = Unfinished::new(&span);
        TASKS.spawn_blocking(move || {
            let output = span.in_scope(function);
            unfinished.finished();
            output
        })
    }

    fn span(self) -> Span {
        let span = info_span!(target: TARGET, "task", otel.name = self.name, otel.kind = self.kind);
        if let Some(parent) = self.parent {
            set_parent(&span, parent.as_parent());
        }
        for (key, value) in self.attributes {
            span.set_attribute(key, value);
        }
        span
    }
}

/// Runs housekeeping that belongs to nobody's trace, such as a poll that mostly finds nothing: spans
/// below it are not kept, here or downstream, while its log lines still share a trace id.
pub async fn unsampled<F: Future>(future: F) -> F::Output {
    let ids = RandomIdGenerator::default();
    let parent =
        SpanContext::new(ids.new_trace_id(), ids.new_span_id(), TraceFlags::NOT_SAMPLED, true, TraceState::NONE);
    let span = info_span!(target: TARGET, parent: None, "unsampled", otel.name = "housekeeping");
    set_parent(&span, Context::new().with_remote_span_context(parent));
    future.instrument(span).await
}
