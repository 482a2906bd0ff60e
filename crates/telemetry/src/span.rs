//! The span of an instrument: it begins and ends where the instrument says, whatever it has spawned.

mod recorded;

use std::borrow::Cow;
use std::future::Future;

use opentelemetry::trace::{
    self, Span as _, SpanBuilder, SpanContext, SpanKind, Status, TraceContextExt, TraceFlags, TraceState, Tracer,
};
use opentelemetry::{Context, KeyValue, Value};
use opentelemetry_sdk::trace as sdk;
use opentelemetry_sdk::trace::{IdGenerator, RandomIdGenerator, SamplingDecision, ShouldSample};

use crate::attached::Attached;
use crate::conventions::ERROR_TYPE;
use crate::telemetry::{Inner, Tracing};
use crate::trace_state::{self, RANDOM, packed, packed_threshold, unpacked};
use recorded::Recorded;

/// A span and the context in which its work runs.
///
/// A span that is not recorded has ids and nothing else. If telemetry is disabled there is no span, and the context is
/// the caller's.
#[derive(Debug)]
pub(crate) struct Span {
    context: Context,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Its attributes are kept, and it will be exported.
    Recording,
    /// Ids only, for logs and for downstream services.
    Id,
    /// There is no span, or it has ended.
    Nothing,
}

impl Span {
    /// Begins a span below `parent`, or a trace if there is none. Name and attributes are computed only if they are
    /// kept.
    pub(crate) fn start<N>(
        telemetry: &Inner,
        parent: Context,
        kind: SpanKind,
        name: impl FnOnce() -> N,
        attributes: impl FnOnce() -> Vec<KeyValue>,
    ) -> Self
    where
        N: Into<Cow<'static, str>>,
    {
        let Some(tracing) = telemetry.tracing() else { return Self { context: parent, state: State::Nothing } };
        let below = parent.span();
        let below = below.span_context();
        if !below.is_valid() || !tracing.sampling.follows_parent(&parent) {
            return Self::sampled(tracing, &parent, kind, name, attributes);
        }
        let records = below.is_sampled() || tracing.sampling.records_undecided(&parent);
        if !records || !tracing.exports {
            return Self::id(&parent, below.trace_id(), below.trace_flags(), trace_state::inherited(below));
        }
        let builder = SpanBuilder::from_name(name()).with_kind(kind).with_attributes(attributes());
        let span = tracing.tracer.build_with_context(builder, &parent);
        Self::recording(tracing, &parent, span, None)
    }

    /// Begins a span that the sampler decides on: usually the root of a trace.
    fn sampled<N>(
        tracing: &Tracing,
        parent: &Context,
        kind: SpanKind,
        name: impl FnOnce() -> N,
        attributes: impl FnOnce() -> Vec<KeyValue>,
    ) -> Self
    where
        N: Into<Cow<'static, str>>,
    {
        let below = parent.span();
        let below = below.span_context();
        if packed_threshold(below).is_some() {
            // The sampler reads the threshold from `tracestate`.
            let parent = parent.with_remote_span_context(unpacked(below));
            return Self::sampled(tracing, &parent, kind, name, attributes);
        }
        let random = if below.is_valid() { below.trace_flags() & RANDOM } else { RANDOM };
        if !tracing.exports {
            let made = || RandomIdGenerator::default().new_trace_id();
            let trace_id = if below.is_valid() { below.trace_id() } else { made() };
            let sampled = tracing.sampling.should_sample(Some(parent), trace_id, &name().into(), &kind, &[], &[]);
            let flags = random.with_sampled(sampled.decision == SamplingDecision::RecordAndSample);
            return Self::id(parent, trace_id, flags, sampled.trace_state);
        }
        // The sampler may need the name. The attributes are computed only after it has decided to record.
        let mut span = tracing.tracer.build_with_context(SpanBuilder::from_name(name()).with_kind(kind), parent);
        let place = with_flags(span.span_context(), random);
        if !span.is_recording() {
            return Self { context: parent.with_remote_span_context(place), state: State::Id };
        }
        span.set_attributes(attributes());
        Self::recording(tracing, parent, span, Some(place))
    }

    fn recording(tracing: &Tracing, parent: &Context, span: sdk::Span, place: Option<SpanContext>) -> Self {
        let undecided = if span.span_context().is_sampled() { None } else { tracing.undecided.clone() };
        let context = parent.with_span(Recorded { span, place, undecided, failed: false });
        Self { context, state: State::Recording }
    }

    fn id(parent: &Context, trace_id: trace::TraceId, flags: TraceFlags, trace_state: TraceState) -> Self {
        let span_id = RandomIdGenerator::default().new_span_id();
        let span_context = SpanContext::new(trace_id, span_id, flags, false, trace_state);
        Self { context: parent.with_remote_span_context(packed(span_context)), state: State::Id }
    }

    /// Where the span's work runs.
    pub(crate) fn context(&self) -> &Context {
        &self.context
    }

    /// The span's place in its trace; invalid where there is no span.
    pub(crate) fn span_context(&self) -> SpanContext {
        self.context.span().span_context().clone()
    }

    /// Whether attributes are kept. If not, expensive ones need not be computed.
    pub(crate) fn is_recording(&self) -> bool {
        self.state == State::Recording
    }

    /// Sets an attribute, each key at most once.
    pub(crate) fn set(&self, key: &'static str, value: impl Into<Value>) {
        if self.is_recording() {
            self.context.span().set_attribute(KeyValue::new(key, value));
        }
    }

    /// Adds an event that happens now.
    pub(crate) fn event(&self, name: &'static str, attributes: Vec<KeyValue>) {
        if self.is_recording() {
            self.context.span().add_event(name, attributes);
        }
    }

    /// Adds a link to a place in another trace.
    pub(crate) fn link(&self, to: SpanContext) {
        if self.is_recording() && to.is_valid() {
            self.context.span().add_link(to, Vec::new());
        }
    }

    /// Replaces the name that the span began with.
    pub(crate) fn rename(&self, name: &'static str) {
        if self.is_recording() {
            self.context.span().update_name(name);
        }
    }

    /// Marks the span as failed. `error_type` is one of few: a code, a class, never a message.
    pub(crate) fn fail(&self, error_type: impl Into<Value>) {
        if self.is_recording() {
            fail(&self.context, error_type);
        }
    }

    /// Runs a function with the span as the current one.
    pub(crate) fn within<R>(&self, work: impl FnOnce() -> R) -> R {
        let _attached = self.attachable().map(Context::attach);
        work()
    }

    /// Runs a future with the span as the current one whenever it is polled, and ends the span at its end.
    /// Dropped before that, the span is abandoned.
    pub(crate) async fn run<F: Future>(self, future: F) -> F::Output {
        let output = self.attach(future).await;
        self.end();
        output
    }

    /// A future that has the span as the current one whenever it is polled.
    pub(crate) fn attach<F>(&self, future: F) -> Attached<F> {
        Attached::in_context(self.attachable(), future)
    }

    /// The context, if it has a span. Without one there is nothing to attach.
    fn attachable(&self) -> Option<Context> {
        self.context.has_active_span().then(|| self.context.clone())
    }

    /// Ends the span when its work is done. It is exported now, whatever still runs below it.
    pub(crate) fn end(mut self) {
        self.finish();
    }

    /// As [`Span::end`], for an owner that only has a reference.
    pub(crate) fn finish(&mut self) {
        if self.state == State::Recording {
            self.context.span().end();
        }
        self.state = State::Nothing;
    }
}

/// A span that is dropped before its work is done: the caller has left, a deadline has passed, or a panic is
/// unwinding.
impl Drop for Span {
    fn drop(&mut self) {
        if self.is_recording() {
            self.fail(cancellation_cause());
        }
        self.finish();
    }
}

/// Why work is dropped before it is done.
pub(crate) fn cancellation_cause() -> &'static str {
    if std::thread::panicking() { "panic" } else { "cancelled" }
}

/// Marks the span of a context as failed. The first failure is the cause and stays: if a panic is answered with a 500,
/// the span shows the panic.
fn fail(context: &Context, error_type: impl Into<Value>) {
    let span = context.span();
    span.set_attribute(KeyValue::new(ERROR_TYPE, error_type));
    span.set_status(Status::error(""));
}

/// Marks the current span as failed. `error_type` is a constant of the code; a description of the failure belongs in
/// the log.
pub fn fail_current(error_type: &'static str) {
    Context::map_current(|context| fail(context, error_type));
}

/// Adds an event to the current span.
pub(crate) fn event_current(name: &'static str, attributes: Vec<KeyValue>) {
    Context::map_current(|context| context.span().add_event(name, attributes));
}

/// The span context with these flags added: the SDK does not say that the ids it makes are random, and does not pass on
/// the random flag of a parent.
fn with_flags(span: &SpanContext, flags: TraceFlags) -> SpanContext {
    let flags = span.trace_flags() | flags;
    packed(SpanContext::new(span.trace_id(), span.span_id(), flags, false, span.trace_state().clone()))
}
