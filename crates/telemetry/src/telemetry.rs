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

/// What of the time to stop belongs to the last spans, however long the tasks take.
const FLUSH: Duration = Duration::from_secs(1);

/// What the last log lines may take, however late it is.
const LAST_LINES: Duration = Duration::from_millis(100);

/// An application's telemetry: what makes its spans, where they go, and the tasks it waits for.
///
/// There may be several in one process. What is built or run inside [`Telemetry::scope`] belongs to that one,
/// and so does everything that is spawned from there. Elsewhere it is the one whose [`Telemetry::layers`] the
/// `tracing` subscriber has.
#[derive(Debug, Clone)]
pub struct Telemetry(pub(crate) Arc<Inner>);

/// Leads from a `tracing` subscriber to the telemetry whose layers it has.
pub(crate) struct Handle(pub(crate) Telemetry);

impl<S: tracing::Subscriber> tracing_subscriber::Layer<S> for Handle {}

/// What instruments need of it.
#[derive(Default)]
pub(crate) struct Inner {
    /// None where telemetry is disabled.
    pub(crate) tracing: Option<Tracing>,
    pub(crate) propagators: Propagators,
    pub(crate) trust: Trust,
    /// Who may have a trace kept; nobody where there is none.
    pub(crate) keep: Option<Keep>,
    /// Every spawned task of the application, so that shutdown can wait for them.
    pub(crate) tasks: TaskTracker,
    /// None where nothing is measured.
    pub(crate) meters: Option<Meters>,
    /// None where spans go nowhere.
    pub(crate) processor: Option<Processor>,
    /// `service.name`.
    pub(crate) name: String,
    /// Which `tracing` spans join the trace.
    pub(crate) spans: Targets,
    /// How much this crate says of itself, if not as much as everybody.
    pub(crate) log_level: Option<LevelFilter>,
    /// What was set and makes no sense.
    pub(crate) warnings: Vec<String>,
    /// The way of log lines to standard output, where [`crate::init`] has made one.
    pub(crate) log: OnceLock<Closing>,
}

/// What makes spans.
#[derive(Debug)]
pub(crate) struct Tracing {
    pub(crate) provider: SdkTracerProvider,
    pub(crate) tracer: SdkTracer,
    pub(crate) sampling: Sampling,
    /// Whether spans go anywhere.
    pub(crate) exports: bool,
    /// Where traces wait that nobody has decided to keep, if any do.
    pub(crate) undecided: Option<Processor>,
}

impl Telemetry {
    /// The one the caller's work belongs to, if there is one.
    pub fn current() -> Option<Self> {
        Context::map_current(|context| context.get::<Self>().cloned()).or_else(Self::of_subscriber)
    }

    /// The one whose layers the `tracing` subscriber has.
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

    /// Where there is none: instruments work and make nothing.
    fn none() -> Self {
        static NONE: LazyLock<Telemetry> = LazyLock::new(|| Telemetry(Arc::new(Inner::default())));
        NONE.clone()
    }

    /// Waits for spawned tasks, then sends what is left of the spans, then of the counts. All together
    /// take `deadline` at most. It must be the last thing that an application does.
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
        // After the spans, for what they have cost is counted too.
        if let Some(meters) = meters {
            meters.shutdown(end).await;
        }
        if let Some(counts) = processor.as_ref().map(Processor::counts) {
            let lost_spans = counts.ended() - counts.exported();
            if lost_spans > 0 {
                tracing::warn!(lost_spans, ended_spans = counts.ended(), causes = ?counts.lost(), "spans were lost in all");
            }
        }
        // Last of all, for all that came before may have had something to say.
        if let Some(Closing(writer)) = log.get() {
            writer.close(end.saturating_duration_since(Instant::now()).max(LAST_LINES));
        }
    }
}

impl Inner {
    pub(crate) fn tracing(&self) -> Option<&Tracing> {
        self.tracing.as_ref()
    }

    /// What a caller at this boundary is believed, as the place where its work begins.
    pub(crate) fn extract(&self, boundary: Boundary, headers: &HeaderMap, base: Context) -> Origin {
        let row = self.trust.incoming(boundary);
        let caller = if row.trace == Continuation::Ignore { None } else { self.propagators.extract(headers) };
        let caller = caller.map(|span| if row.state { span } else { trace_state::without_state(&span) });
        let mut context = base;
        let mut link = None;
        match caller {
            Some(caller) if row.trace == Continuation::Continue => {
                // Not before: no stranger takes up any of the few numbers that there are for thresholds.
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

    /// A place in a trace as others are told of it: as kept, once it is.
    pub(crate) fn as_kept<'s>(&self, span: &'s SpanContext) -> Cow<'s, SpanContext> {
        let undecided = if span.is_sampled() { None } else { self.tracing().and_then(|it| it.undecided.as_ref()) };
        match undecided {
            Some(processor) if processor.is_kept(span.trace_id()) => Cow::Owned(trace_state::kept(span)),
            _ => Cow::Borrowed(span),
        }
    }

    /// Tells the caller at this boundary that a trace is kept which was not when the call came.
    pub(crate) fn respond_if_kept(&self, boundary: Boundary, span: &SpanContext, headers: &mut HeaderMap) {
        let kept = self.as_kept(span);
        if kept.is_sampled() && !span.is_sampled() && self.trust.shares_traces(boundary) {
            propagation::respond_kept(&kept, headers);
        }
    }

    /// Keeps a trace that was not decided on, if the answer across this boundary says that it is kept there.
    pub(crate) fn keep_if_answer_says(&self, boundary: Boundary, span: &SpanContext, headers: &HeaderMap) {
        let Some(processor) = self.tracing().and_then(|tracing| tracing.undecided.as_ref()) else { return };
        if !span.is_sampled()
            && self.trust.shares_traces(boundary)
            && propagation::kept_by(headers).is_some_and(|trace_id| trace_id == span.trace_id())
        {
            processor.keep(span.trace_id());
        }
    }

    /// Keeps a trace that was not decided on, if the request that it came with has taken too long.
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
    /// A place in a trace that is not believed.
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
    /// The one of the caller, who makes the instrument.
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
            // One that is disabled attaches no context, so that nobody would find it there.
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
