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
use crate::context::{link, set_parent};
use crate::span::{TARGET, Unfinished};

/// Every spawned task of the process, so that shutdown can wait for them.
pub(crate) static TASKS: LazyLock<TaskTracker> = LazyLock::new(TaskTracker::new);

/// Where a task's span belongs.
#[derive(Debug)]
enum Place {
    /// Where it is spawned.
    Here,
    /// In the trace of a stored context.
    Below(TraceContext),
    /// In a trace of its own that points to a stored context.
    Apart(TraceContext),
}

/// A result that is one of few classes, which the span of its work shows.
pub trait Classified {
    /// The attribute that shows the class.
    const ATTRIBUTE: &'static str;

    /// The class: a constant of the code, never made of input.
    fn class(&self) -> &'static str;
}

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
    place: Place,
    attributes: Vec<(&'static str, Value)>,
}

impl Task {
    /// A part of this service's own work.
    pub fn internal(name: &'static str) -> Self {
        Self { name, kind: "internal", place: Place::Here, attributes: Vec::new() }
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
        self.place = Place::Below(parent);
        self
    }

    /// Begins a trace of its own with a link to a stored context, for work so late that the trace it comes
    /// from is complete to whoever keeps it.
    pub fn link(mut self, origin: TraceContext) -> Self {
        self.place = Place::Apart(origin);
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
        self.spawn_with(future, |_, _| ())
    }

    /// Runs the future on the runtime and shows on the span which class its result is of.
    pub fn spawn_classified<F, T>(self, future: F) -> JoinHandle<T>
    where
        F: Future<Output = T> + Send + 'static,
        T: Classified + Send + 'static,
    {
        self.spawn_with(future, |span, output| span.set_attribute(T::ATTRIBUTE, output.class()))
    }

    fn spawn_with<F>(self, future: F, show: impl FnOnce(&Span, &F::Output) + Send + 'static) -> JoinHandle<F::Output>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        let span = self.span();
        let (unfinished, shown) = (Unfinished::new(&span), span.clone());
        let traced = async move {
            let output = future.await;
            show(&shown, &output);
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
        let (name, kind) = (self.name, self.kind);
        let span = if matches!(self.place, Place::Apart(_)) {
            info_span!(target: TARGET, parent: None, "task", otel.name = name, otel.kind = kind)
        } else {
            info_span!(target: TARGET, "task", otel.name = name, otel.kind = kind)
        };
        match self.place {
            Place::Here => {}
            Place::Below(parent) => set_parent(&span, parent.as_parent()),
            Place::Apart(origin) => link(&span, origin),
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
