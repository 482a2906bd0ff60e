use std::io;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use opentelemetry::Context;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::trace::{Span, SpanData, SpanProcessor};

use super::Counts;
use super::queue::Queue;
use super::worker::Worker;
use crate::config::Queue as Limits;
use crate::config::settings::Exporter;

/// Collects ended spans for a thread that sends them.
#[derive(Debug, Clone)]
pub(crate) struct Processor(Arc<Queue>);

impl Processor {
    /// Starts the thread.
    ///
    /// # Errors
    /// When it cannot be started. A receiver that is not there is no error, nor is a file that cannot be read.
    pub(crate) fn start(
        exporter: Exporter,
        limits: Limits,
        resource: &Resource,
        value_length: Option<usize>,
    ) -> io::Result<Self> {
        let queue = Arc::new(Queue::new(limits));
        let worker = Worker::new(Arc::clone(&queue), exporter, resource, value_length);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let name = "telemetry-export".to_owned();
        thread::Builder::new().name(name).spawn(move || runtime.block_on(worker.run()))?;
        Ok(Self(queue))
    }

    /// What has become of the spans.
    pub(crate) fn counts(&self) -> &Counts {
        &self.0.counts
    }

    /// Spans that wait.
    pub(crate) fn queue_size(&self) -> usize {
        self.0.len()
    }

    /// Spans that there is memory for now.
    #[cfg(test)]
    pub(crate) fn room(&self) -> usize {
        self.0.room()
    }

    /// Spans that wait at most.
    pub(crate) fn queue_capacity(&self) -> usize {
        self.0.limits().size
    }
}

impl SpanProcessor for Processor {
    fn on_start(&self, _: &mut Span, _: &Context) {}

    fn on_end(&self, span: SpanData) {
        if span.span_context.is_sampled() {
            self.0.push(span);
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        let patience = Duration::from_secs(30);
        if self.0.flush(patience) { Ok(()) } else { Err(OTelSdkError::Timeout(patience)) }
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        if self.0.close(timeout) { Ok(()) } else { Err(OTelSdkError::Timeout(timeout)) }
    }
}
