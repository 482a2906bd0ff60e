use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use opentelemetry::baggage::{Baggage, BaggageExt};
use opentelemetry::trace::{SpanContext, TraceContextExt};
use opentelemetry::{Context, trace};
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider, ShouldSample};
use tokio_util::task::TaskTracker;

use crate::propagation::{Admitted, Boundary, Propagators, Trust};
use crate::span::Attached;

/// An application's telemetry: what makes its spans, where they go, and the tasks it waits for.
///
/// There may be several in one process. What is built or run inside [`Telemetry::scope`] belongs to that one,
/// and so does everything that is spawned from there. Elsewhere it is the one whose [`Telemetry::layers`] the
/// `tracing` subscriber has.
#[derive(Debug, Clone)]
pub struct Telemetry(pub(crate) Arc<Inner>);

/// What instruments need of it.
pub(crate) struct Inner {
    /// None where telemetry is disabled.
    pub(crate) tracing: Option<Tracing>,
    pub(crate) propagators: Propagators,
    pub(crate) trust: Trust,
    /// Every spawned task of the application, so that shutdown can wait for them.
    pub(crate) tasks: TaskTracker,
}

/// What makes spans.
pub(crate) struct Tracing {
    pub(crate) provider: SdkTracerProvider,
    pub(crate) tracer: SdkTracer,
    pub(crate) sampler: Box<dyn ShouldSample>,
    /// Whether spans go anywhere.
    pub(crate) exports: bool,
}

impl Telemetry {
    /// The one the caller's work belongs to, if there is one.
    pub fn current() -> Option<Self> {
        Context::map_current(|context| context.get::<Self>().cloned()).or_else(Self::of_subscriber)
    }

    /// The one whose layers the `tracing` subscriber has.
    fn of_subscriber() -> Option<Self> {
        tracing::dispatcher::get_default(|dispatch| dispatch.downcast_ref::<Self>().cloned())
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

    fn disabled() -> Self {
        Self(Arc::new(Inner {
            tracing: None,
            propagators: Propagators::new(&[]),
            trust: Trust::default(),
            tasks: TaskTracker::new(),
        }))
    }
}

impl Inner {
    /// What a caller at this boundary is believed, as the place where its work begins.
    pub(crate) fn admit(&self, boundary: Boundary, headers: &http::HeaderMap, base: &Context) -> Origin {
        let Admitted { parent, link, baggage } = self.trust.admit(boundary, self.propagators.extract(headers));
        let mut context = base.clone();
        if let Some(parent) = parent {
            context = context.with_remote_span_context(parent);
        }
        if !baggage.is_empty() {
            context = context.with_baggage(baggage);
        }
        Origin { context, link }
    }

    /// Writes a context into the headers of a request that leaves through this boundary.
    pub(crate) fn release(&self, boundary: Boundary, context: &Context, headers: &mut http::HeaderMap) {
        let span = context.span();
        if let Some((span, baggage)) = self.trust.release(boundary, span.span_context(), context.baggage()) {
            self.propagators.inject(&span, &baggage, headers);
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
        let telemetry = Telemetry::current().unwrap_or_else(Telemetry::disabled);
        (telemetry.clone(), telemetry.outside())
    }

    /// The telemetry of work that is done where the caller is, and the caller's context.
    pub(crate) fn inside(&self) -> (Telemetry, Context) {
        Context::map_current(|context| match context.get::<Telemetry>() {
            Some(telemetry) => (telemetry.clone(), context.clone()),
            None => {
                let made_in = self.made_in.as_ref().map(|(telemetry, _)| telemetry.clone());
                let telemetry = made_in.or_else(Telemetry::of_subscriber).unwrap_or_else(Telemetry::disabled);
                (telemetry.clone(), context.with_value(telemetry))
            }
        })
    }
}

/// The telemetry of the caller's work, and the caller's context.
pub(crate) fn here() -> (Telemetry, Context) {
    Owner { made_in: None }.inside()
}
