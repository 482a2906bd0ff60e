//! The layers of the `tracing` subscriber: one makes spans, the other writes log lines.
//!
//! Each has a filter of its own: a shared filter would remove spans from the middle of traces.

use opentelemetry_sdk::trace::SdkTracer;
use tracing::{Metadata, Subscriber};
use tracing_subscriber::filter::{FilterExt, Targets, filter_fn};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{EnvFilter, Layer};

use crate::log::{self, Format, Lines};

/// Turns `tracing` spans that are `wanted` into OpenTelemetry spans. Events are left out: an error that is logged
/// would mark the span as failed, whatever the call's own outcome.
pub(crate) fn spans<S>(tracer: SdkTracer, wanted: Targets) -> impl Layer<S> + Send + Sync
where
    S: Subscriber + for<'span> LookupSpan<'span> + Send + Sync,
{
    tracing_opentelemetry::layer()
        .with_tracer(tracer)
        .with_location(false)
        .with_threads(false)
        .with_target(false)
        .with_level(false)
        .with_tracked_inactivity(false)
        .with_filter(wanted.and(filter_fn(|metadata: &Metadata<'_>| metadata.is_span())))
}

/// Writes events as lines, as far as `wanted` and [`log::permitted`] let them through.
pub(crate) fn lines<S, W>(wanted: EnvFilter, format: Format, writer: W) -> impl Layer<S> + Send + Sync
where
    S: Subscriber + for<'span> LookupSpan<'span> + Send + Sync,
    W: for<'writer> MakeWriter<'writer> + Send + Sync + 'static,
{
    Lines::new(format, writer)
        .with_filter(wanted.and(filter_fn(|metadata: &Metadata<'_>| metadata.is_event() && log::permitted(metadata))))
}
