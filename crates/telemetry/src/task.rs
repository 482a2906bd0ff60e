use std::future::Future;

use opentelemetry::trace::{SpanContext, SpanKind, TraceContextExt, TraceFlags, TraceState};
use opentelemetry::{KeyValue, Value};
use opentelemetry_sdk::trace::{IdGenerator, RandomIdGenerator};
use tokio::task::JoinHandle;

use crate::TraceContext;
use crate::attached::Attached;
use crate::conventions::{
    MESSAGING_DESTINATION_NAME, MESSAGING_MESSAGE_ID, MESSAGING_OPERATION_NAME, MESSAGING_OPERATION_TYPE,
    MESSAGING_SYSTEM,
};
use crate::sampling::NeverKept;
use crate::span::Span;
use crate::telemetry::{Telemetry, here};

/// Where a task's span belongs.
#[derive(Debug)]
enum Parent {
    /// Below the current span.
    Current,
    /// In the trace of a stored context.
    Stored(TraceContext),
    /// In a trace of its own.
    Root,
}

/// A message between its producer and its consumer, in the terms of the messaging conventions.
#[derive(Debug, Clone)]
pub struct Message {
    /// The messaging system, such as `kafka`, or `postgresql` for a table that is a queue.
    pub system: &'static str,
    /// The queue, topic or table.
    pub destination: &'static str,
    /// Its random id.
    pub id: String,
}

/// A named piece of work with a span. It runs in place, or is spawned and stays in the trace that caused it. Shutdown
/// waits for spawned tasks.
///
/// The span ends when the work ends, even if something that it has spawned still runs.
///
/// ```no_run
/// # async fn doc() {
/// telemetry::Task::internal("warm the cache").spawn(async { /* nobody waits for it */ });
/// telemetry::Task::internal("look it up").run(async { /* the caller waits */ }).await;
/// # }
/// ```
#[derive(Debug)]
#[must_use = "a task does nothing until it is run or spawned"]
pub struct Task {
    name: &'static str,
    kind: SpanKind,
    parent: Parent,
    links: Vec<TraceContext>,
    attributes: Vec<KeyValue>,
}

/// Runs a future as a named piece of the caller's work: `Task::internal(name).run(future)`.
pub fn step<F: Future>(name: &'static str, future: F) -> impl Future<Output = F::Output> {
    Task::internal(name).run(future)
}

impl Task {
    /// A part of this service's own work.
    pub fn internal(name: &'static str) -> Self {
        Self { name, kind: SpanKind::Internal, parent: Parent::Current, links: Vec::new(), attributes: Vec::new() }
    }

    /// Creates a message that is processed later.
    pub fn create(name: &'static str, message: Message) -> Self {
        Self { kind: SpanKind::Producer, ..Self::internal(name) }.messaging("create", message)
    }

    /// Sends a message to its consumer.
    pub fn send(name: &'static str, message: Message) -> Self {
        Self { kind: SpanKind::Producer, ..Self::internal(name) }.messaging("send", message)
    }

    /// Processes a message that was created or sent earlier.
    pub fn process(name: &'static str, message: Message) -> Self {
        Self { kind: SpanKind::Consumer, ..Self::internal(name) }.messaging("process", message)
    }

    fn messaging(self, operation: &'static str, message: Message) -> Self {
        self.attribute(MESSAGING_SYSTEM, message.system)
            .attribute(MESSAGING_OPERATION_NAME, operation)
            .attribute(MESSAGING_OPERATION_TYPE, operation)
            .attribute(MESSAGING_DESTINATION_NAME, message.destination)
            .attribute(MESSAGING_MESSAGE_ID, message.id)
    }

    /// Joins the trace of a stored context instead of the current one.
    pub fn parent(mut self, parent: TraceContext) -> Self {
        self.parent = Parent::Stored(parent);
        self
    }

    /// Begins a trace of its own, for work so late that back ends take the trace it comes from as complete.
    pub fn root(mut self) -> Self {
        self.parent = Parent::Root;
        self
    }

    /// Adds a link to a place in a trace, such as where the message was made.
    pub fn link(mut self, origin: TraceContext) -> Self {
        self.links.push(origin);
        self
    }

    /// Shows a count, a random id or a class on the span; never anything a person has typed.
    pub fn attribute(mut self, key: &'static str, value: impl Into<Value>) -> Self {
        self.attributes.push(KeyValue::new(key, value));
        self
    }

    /// Runs the future in place.
    pub async fn run<F: Future>(self, future: F) -> F::Output {
        let (_, span) = self.start();
        span.run(future).await
    }

    /// Runs the future on the runtime.
    pub fn spawn<F>(self, future: F) -> JoinHandle<F::Output>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        let (telemetry, span) = self.start();
        telemetry.0.tasks.spawn(span.run(future))
    }

    /// Spawns the future and sets `attribute` on the span to the class of its result. `class` gives constants of the
    /// code, never anything made of input.
    pub fn spawn_classified<F, T>(
        self,
        attribute: &'static str,
        class: fn(&T) -> &'static str,
        future: F,
    ) -> JoinHandle<T>
    where
        F: Future<Output = T> + Send + 'static,
        T: Send + 'static,
    {
        let (telemetry, span) = self.start();
        telemetry.0.tasks.spawn(async move {
            let output = span.attach(future).await;
            span.set(attribute, class(&output));
            span.end();
            output
        })
    }

    /// Runs the function on a thread where it may block, or compute for long.
    pub fn spawn_blocking<F, T>(self, function: F) -> JoinHandle<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        let (telemetry, span) = self.start();
        telemetry.0.tasks.spawn_blocking(move || {
            let output = span.within(function);
            span.end();
            output
        })
    }

    fn start(self) -> (Telemetry, Span) {
        let (telemetry, here) = here();
        let parent = match self.parent {
            Parent::Current => here,
            Parent::Stored(parent) => telemetry.outside().with_remote_span_context(parent.0),
            Parent::Root => telemetry.outside(),
        };
        let span = Span::start(&telemetry.0, parent, self.kind, || self.name, || self.attributes);
        for origin in self.links {
            span.link(origin.0);
        }
        (telemetry, span)
    }
}

/// Runs housekeeping that belongs to no request's trace, such as a poll that usually finds nothing. Spans below it are
/// not kept, here or downstream, but its log lines share a trace id. A called service with `sampler: errors` still
/// keeps its own spans of a call that fails.
pub fn unsampled<F: Future>(future: F) -> impl Future<Output = F::Output> {
    let (telemetry, here) = here();
    let context = if telemetry.0.tracing.is_some() {
        telemetry.outside().with_value(NeverKept).with_remote_span_context(not_kept())
    } else {
        here
    };
    Attached::new(context, future)
}

fn not_kept() -> SpanContext {
    let ids = RandomIdGenerator::default();
    SpanContext::new(ids.new_trace_id(), ids.new_span_id(), TraceFlags::NOT_SAMPLED, false, TraceState::NONE)
}
