use std::borrow::Cow;
use std::fmt;
use std::future::Future;
use std::sync::{Arc, LazyLock, OnceLock};
use std::time::Duration;

use ::http::HeaderMap;
use opentelemetry::Context;
use opentelemetry::baggage::BaggageExt;
use opentelemetry::trace::{SpanContext, TraceContextExt};
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};
use tokio::time::Instant;
use tokio_util::task::TaskTracker;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;

use crate::attached::Attached;
use crate::export::Processor;
use crate::log::Closing;
use crate::metrics::Meters;
use crate::propagation::{self, Boundary, Continuation, Keep, Kept, Propagators, Trust};
use crate::sampling::{self, Sampling};
use crate::trace_state;

/// The part of the shutdown's time that is reserved for the last spans.
const FLUSH: Duration = Duration::from_secs(1);

/// The least time that the last log lines get, even after the deadline.
const LAST_LINES: Duration = Duration::from_millis(100);

/// An application's telemetry: what makes its spans, where they go, and the tasks it waits for.
///
/// There may be several in one process. What is built or run inside [`Telemetry::scope`] belongs to that one,
/// and so does everything that is spawned from there. Elsewhere it is the one whose [`Telemetry::layers`] the
/// `tracing` subscriber has.
#[derive(Debug, Clone)]
pub struct Telemetry(pub(crate) Arc<Inner>);

/// The layer by which a `tracing` subscriber leads to its telemetry.
pub(crate) struct Handle(pub(crate) Telemetry);

impl<S: tracing::Subscriber> tracing_subscriber::Layer<S> for Handle {}

/// The parts that instruments need.
#[derive(Default)]
pub(crate) struct Inner {
    /// `None` if telemetry is disabled.
    pub(crate) tracing: Option<Tracing>,
    pub(crate) propagators: Propagators,
    pub(crate) trust: Trust,
    /// Checks requests to keep a trace; `None` if no request may ask for it.
    pub(crate) keep: Option<Keep>,
    /// Every spawned task of the application, so that shutdown can wait for them.
    pub(crate) tasks: TaskTracker,
    /// `None` if nothing is measured.
    pub(crate) meters: Option<Meters>,
    /// `None` if spans are not exported.
    pub(crate) processor: Option<Processor>,
    /// `service.name`.
    pub(crate) name: String,
    /// Which `tracing` spans join the trace.
    pub(crate) spans: Targets,
    /// The log level of this crate, if it differs from the general one.
    pub(crate) log_level: Option<LevelFilter>,
    /// Warnings about settings that are ignored.
    pub(crate) warnings: Vec<String>,
    /// The writer of log lines to standard output, if [`crate::init`] has started it.
    pub(crate) log: OnceLock<Closing>,
}

/// What makes spans.
#[derive(Debug)]
pub(crate) struct Tracing {
    pub(crate) provider: SdkTracerProvider,
    pub(crate) tracer: SdkTracer,
    pub(crate) sampling: Sampling,
    /// Whether spans are recorded and passed to an exporter.
    pub(crate) exports: bool,
    /// Where undecided traces wait, if the sampler leaves any undecided.
    pub(crate) undecided: Option<Processor>,
}

impl Telemetry {
    /// The telemetry of the caller's work, if there is one.
    pub fn current() -> Option<Self> {
        Context::map_current(|context| context.get::<Self>().cloned()).or_else(Self::of_subscriber)
    }

    /// The telemetry whose layers the `tracing` subscriber has.
    fn of_subscriber() -> Option<Self> {
        tracing::dispatcher::get_default(|dispatch| dispatch.downcast_ref::<Handle>().map(|handle| handle.0.clone()))
    }

    /// Runs a future whose instruments, tasks and spans belong to this telemetry, whatever the `tracing`
    /// subscriber says.
    pub fn scope<F: Future>(&self, future: F) -> impl Future<Output = F::Output> + use<F> {
        Attached::new(Context::current_with_value(self.clone()), future)
    }

    /// A context outside of any trace.
    pub(crate) fn outside(&self) -> Context {
        Context::new().with_value(self.clone())
    }

    /// A telemetry that makes nothing, for instruments that belong to none.
    fn none() -> Self {
        static NONE: LazyLock<Telemetry> = LazyLock::new(|| Telemetry(Arc::new(Inner::default())));
        NONE.clone()
    }

    /// Waits for spawned tasks, then exports the remaining spans and then the remaining metrics. All together take
    /// `deadline` at most. It must be the last thing that an application does.
    pub async fn shutdown(self, deadline: Duration) {
        let end = Instant::now() + deadline;
        let Inner { tracing, tasks, meters, processor, log, .. } = &*self.0;
        tasks.close();
        if tokio::time::timeout_at(end - FLUSH.min(deadline / 2), tasks.wait()).await.is_err() {
            tracing::warn!(tasks = tasks.len(), "shutdown did not wait for all tasks");
        }
        if let Some(tracing) = tracing {
            let left = end.saturating_duration_since(Instant::now());
            let provider = tracing.provider.clone();
            // An exporter that hangs is left behind in its own thread.
            let flush = tokio::task::spawn_blocking(move || provider.shutdown_with_timeout(left));
            if let Ok(Err(error)) = flush.await {
                tracing::warn!(%error, "the last spans may be lost");
            }
        }
        // After the spans, because their export is counted too.
        if let Some(meters) = meters {
            meters.shutdown(end).await;
        }
        if let Some(counts) = processor.as_ref().map(Processor::counts) {
            let lost_spans = counts.ended() - counts.exported();
            if lost_spans > 0 {
                tracing::warn!(lost_spans, ended_spans = counts.ended(), causes = ?counts.lost(), "spans were lost in all");
            }
        }
        // Last of all, because every step before may log.
        if let Some(Closing(writer)) = log.get() {
            writer.close(end.saturating_duration_since(Instant::now()).max(LAST_LINES));
        }
    }
}

impl Inner {
    pub(crate) fn tracing(&self) -> Option<&Tracing> {
        self.tracing.as_ref()
    }

    /// The context in which the work of a request begins, with what this boundary trusts of its caller.
    pub(crate) fn extract(&self, boundary: Boundary, headers: &HeaderMap, base: Context) -> Origin {
        let row = self.trust.incoming(boundary);
        let caller = if row.trace == Continuation::Ignore { None } else { self.propagators.extract(headers) };
        let caller = caller.map(|span| if row.state { span } else { trace_state::without_state(&span) });
        let mut context = base;
        let mut link = None;
        match caller {
            Some(caller) if row.trace == Continuation::Continue => {
                // Packed only here, so that strangers cannot use up the few numbers for thresholds.
                context = context.with_remote_span_context(trace_state::packed(caller));
            }
            caller => {
                if let Some(caller) = caller.as_ref().filter(|_| row.trace == Continuation::Adopt) {
                    context = sampling::adopted(&context, caller);
                }
                link = caller;
            }
        }
        let baggage = self.propagators.extract_baggage(headers, &row.baggage);
        if !baggage.is_empty() {
            context = context.with_baggage(baggage);
        }
        if matches!(boundary, Boundary::Ingress | Boundary::Page)
            && self.keep.as_ref().is_some_and(|keep| keep.admits(headers))
        {
            context = context.with_value(Kept);
        }
        Origin { context, link }
    }

    /// A place in a trace as others are told of it: sampled, once its trace is kept.
    pub(crate) fn as_kept<'s>(&self, span: &'s SpanContext) -> Cow<'s, SpanContext> {
        let undecided = if span.is_sampled() { None } else { self.tracing().and_then(|it| it.undecided.as_ref()) };
        match undecided {
            Some(processor) if processor.is_kept(span.trace_id()) => Cow::Owned(trace_state::kept(span)),
            _ => Cow::Borrowed(span),
        }
    }

    /// Tells the caller at this boundary that a trace is kept, if that was decided during the call.
    pub(crate) fn respond_if_kept(&self, boundary: Boundary, span: &SpanContext, headers: &mut HeaderMap) {
        let kept = self.as_kept(span);
        if kept.is_sampled() && !span.is_sampled() && self.trust.shares_traces(boundary) {
            propagation::respond_kept(&kept, headers);
        }
    }

    /// Keeps an undecided trace if the answer across this boundary says that it is kept there.
    pub(crate) fn keep_if_answer_says(&self, boundary: Boundary, span: &SpanContext, headers: &HeaderMap) {
        let Some(processor) = self.tracing().and_then(|tracing| tracing.undecided.as_ref()) else { return };
        if !span.is_sampled()
            && self.trust.shares_traces(boundary)
            && propagation::kept_by(headers).is_some_and(|trace_id| trace_id == span.trace_id())
        {
            processor.keep(span.trace_id());
        }
    }

    /// Keeps an undecided trace if the request that it came with has taken too long.
    pub(crate) fn keep_if_slow<'n>(&self, span: &SpanContext, name: impl FnOnce() -> Cow<'n, str>, duration: Duration) {
        let Some(tracing) = self.tracing() else { return };
        if let Some(processor) = tracing.undecided.as_ref().filter(|_| !span.is_sampled())
            && tracing.sampling.slow(&name()).is_some_and(|slow| duration >= slow)
        {
            processor.keep(span.trace_id());
        }
    }

    /// Writes a context into the headers of a request that leaves through this boundary.
    pub(crate) fn inject(&self, boundary: Boundary, context: &Context, headers: &mut HeaderMap) {
        let row = self.trust.outgoing(boundary);
        let span = context.span();
        let span = &*self.as_kept(span.span_context());
        if row.trace && span.is_valid() {
            let stateless = (!row.state).then(|| trace_state::without_state(span));
            self.propagators.inject(stateless.as_ref().unwrap_or(span), headers);
        }
        if !row.baggage.is_empty() {
            self.propagators.inject_baggage(context.baggage(), row.baggage, headers);
        }
    }
}

/// Where the work of a request begins.
pub(crate) struct Origin {
    pub(crate) context: Context,
    /// The caller's place in a trace that is only linked to.
    pub(crate) link: Option<SpanContext>,
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Telemetry").field("trust", &self.trust).finish_non_exhaustive()
    }
}

/// The telemetry an instrument belongs to: the one that was current where the instrument was made, or else
/// where it is used.
#[derive(Debug, Clone)]
pub(crate) struct Owner {
    made_in: Option<(Telemetry, Context)>,
}

impl Owner {
    /// The telemetry that is current where the instrument is made.
    pub(crate) fn of_caller() -> Self {
        Self { made_in: Telemetry::current().map(|telemetry| (telemetry.clone(), telemetry.outside())) }
    }

    /// The telemetry of a request that comes from outside, and the context it starts from.
    pub(crate) fn at_entry(&self) -> (Telemetry, Context) {
        if let Some((telemetry, context)) = &self.made_in {
            return (telemetry.clone(), context.clone());
        }
        let telemetry = Telemetry::current().unwrap_or_else(Telemetry::none);
        (telemetry.clone(), telemetry.outside())
    }

    /// The telemetry of work that is done where the caller is, and the caller's context.
    pub(crate) fn inside(&self) -> (Telemetry, Context) {
        Context::map_current(|context| {
            if let Some(telemetry) = context.get::<Telemetry>() {
                return (telemetry.clone(), context.clone());
            }
            let made_in = self.made_in.as_ref().map(|(telemetry, _)| telemetry.clone());
            let telemetry = made_in.or_else(Telemetry::of_subscriber).unwrap_or_else(Telemetry::none);
            // A disabled telemetry attaches no context, so it would not be found there.
            let enabled = telemetry.0.tracing.is_some();
            let context = if enabled { context.with_value(telemetry.clone()) } else { context.clone() };
            (telemetry, context)
        })
    }
}

/// The telemetry of the caller's work, and the caller's context.
pub(crate) fn here() -> (Telemetry, Context) {
    Owner { made_in: None }.inside()
}
