use std::io;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use opentelemetry::Context;
use opentelemetry::trace::{Span as _, TraceContextExt, TraceId};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::trace::{Span, SpanData, SpanProcessor};

use super::Counts;
use super::fragments::{Fragments, Outcome};
use super::queue::Queue;
use super::worker::Worker;
use crate::config::settings::Exporter;
use crate::config::{Errors, Queue as Limits};

/// Collects ended spans for a thread that sends them.
#[derive(Debug, Clone)]
pub(crate) struct Processor {
    queue: Arc<Queue>,
    /// The buffer of undecided traces, with `sampler: errors`.
    fragments: Option<Arc<Fragments>>,
}

impl Processor {
    /// Starts the thread.
    ///
    /// # Errors
    /// When it cannot be started. An absent receiver and an unreadable file are no errors here.
    pub(crate) fn start(
        exporter: Exporter,
        limits: Limits,
        errors: Option<&Errors>,
        resource: &Resource,
        value_length: Option<usize>,
    ) -> io::Result<Self> {
        let queue = Arc::new(Queue::new(limits));
        let worker = Worker::new(Arc::clone(&queue), exporter, resource, value_length);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let name = "telemetry-export".to_owned();
        thread::Builder::new().name(name).spawn(move || runtime.block_on(worker.run()))?;
        Ok(Self { queue, fragments: errors.map(|config| Arc::new(Fragments::new(config))) })
    }

    /// Whether undecided traces wait here.
    pub(crate) fn holds_undecided(&self) -> bool {
        self.fragments.is_some()
    }

    /// Keeps an undecided trace and exports its spans that wait here.
    pub(crate) fn keep(&self, trace_id: TraceId) {
        if let Some(fragments) = &self.fragments {
            self.export(Outcome { exported: fragments.keep(trace_id), displaced: 0 });
        }
    }

    /// Whether a trace that was undecided at first has been kept since.
    pub(crate) fn is_kept(&self, trace_id: TraceId) -> bool {
        self.fragments.as_ref().is_some_and(|fragments| fragments.is_kept(trace_id))
    }

    /// The undecided traces that wait, and their bytes.
    #[cfg(test)]
    pub(crate) fn held(&self) -> (usize, usize) {
        self.fragments.as_ref().map_or((0, 0), |fragments| fragments.held())
    }

    fn export(&self, outcome: Outcome) {
        for span in outcome.exported {
            self.queue.push(span, true);
        }
        self.queue.counts.displace(outcome.displaced);
    }

    /// Counts of ended spans, by what happened to them.
    pub(crate) fn counts(&self) -> &Counts {
        &self.queue.counts
    }

    /// Spans that wait.
    pub(crate) fn queue_size(&self) -> usize {
        self.queue.len()
    }

    /// How many spans the allocated memory has room for.
    #[cfg(test)]
    pub(crate) fn room(&self) -> usize {
        self.queue.room()
    }

    /// The most spans that may wait.
    pub(crate) fn queue_capacity(&self) -> usize {
        self.queue.limits().size
    }
}

impl SpanProcessor for Processor {
    fn on_start(&self, span: &mut Span, parent: &Context) {
        let Some(fragments) = &self.fragments else { return };
        let span = span.span_context();
        if !span.is_sampled() {
            fragments.begin(span.trace_id());
        } else if parent.span().span_context().is_remote() {
            // The caller has decided to keep the trace since an earlier call of it came here.
            self.keep(span.trace_id());
        }
    }

    fn on_end(&self, span: SpanData) {
        if span.span_context.is_sampled() {
            self.queue.push(span, false);
        } else if let Some(fragments) = &self.fragments {
            self.export(fragments.end(span));
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        let patience = Duration::from_secs(30);
        if self.queue.flush(patience) { Ok(()) } else { Err(OTelSdkError::Timeout(patience)) }
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        if self.queue.close(timeout) { Ok(()) } else { Err(OTelSdkError::Timeout(timeout)) }
    }
}
