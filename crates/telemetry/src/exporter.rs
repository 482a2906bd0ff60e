use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use opentelemetry::Context;
use opentelemetry_otlp::{Protocol, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{BatchConfigBuilder, BatchSpanProcessor, Span, SpanData, SpanExporter, SpanProcessor};

use crate::config::{Batcher, Config};
use crate::init::InitError;

/// Spans that wait for export at most. About 1 KiB each, so 8 MiB when the collector is gone; more
/// are dropped and counted. The SDK's own 2,048 loses spans in a burst of a few hundred submissions.
const QUEUE: usize = 8_192;

/// The processor that collects ended spans and sends them in the background, or none.
///
/// Must run inside the runtime: the gRPC exporter binds its connection to it.
pub(crate) async fn processor(config: &Config, tally: &Arc<Tally>) -> Result<Option<Counted>, InitError> {
    let otlp = opentelemetry_otlp::SpanExporter::builder;
    Ok(match config.batcher {
        Batcher::None => None,
        Batcher::Stdout => Some(batch(Stdout, tally)),
        Batcher::OtlpGrpc => Some(batch(otlp().with_tonic().with_endpoint(config.traces_address()).build()?, tally)),
        Batcher::OtlpHttp => {
            let url = config.traces_address();
            let build = move || otlp().with_http().with_protocol(Protocol::HttpBinary).with_endpoint(url).build();
            // The blocking client may not be made on a thread that drives the runtime.
            let exporter = tokio::task::spawn_blocking(build).await.map_err(|_| InitError::Exporter)??;
            Some(batch(exporter, tally))
        }
    })
}

fn batch(exporter: impl SpanExporter + 'static, tally: &Arc<Tally>) -> Counted {
    let mut config = BatchConfigBuilder::default();
    if std::env::var_os("OTEL_BSP_MAX_QUEUE_SIZE").is_none() {
        config = config.with_max_queue_size(QUEUE);
    }
    if std::env::var_os("OTEL_BSP_SCHEDULE_DELAY").is_none() {
        config = config.with_scheduled_delay(Duration::from_secs(1));
    }
    let exporter = CountedExporter { exporter, tally: Arc::clone(tally) };
    let batch = BatchSpanProcessor::builder(exporter).with_batch_config(config.build()).build();
    Counted { batch, tally: Arc::clone(tally) }
}

/// How many spans there were and how many of them have arrived. The difference is what a full queue,
/// a failed export or a shutdown in haste has cost.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    ended: AtomicU64,
    sent: AtomicU64,
    failing: AtomicBool,
}

impl Tally {
    pub(crate) fn ended(&self) -> u64 {
        self.ended.load(Ordering::Relaxed)
    }

    /// Spans that have ended and not arrived; until shutdown, some of them still may.
    pub(crate) fn lost(&self) -> u64 {
        self.ended().saturating_sub(self.sent.load(Ordering::Relaxed))
    }

    /// Counts a batch and logs where an outage of the collector begins and ends.
    fn record(&self, spans: usize, result: &OTelSdkResult) {
        if result.is_ok() {
            self.sent.fetch_add(spans as u64, Ordering::Relaxed);
        }
        let was_failing = self.failing.swap(result.is_err(), Ordering::Relaxed);
        match result {
            Err(error) if !was_failing => tracing::warn!(missing_spans = self.lost(), %error, "spans cannot be sent"),
            Ok(()) if was_failing => tracing::info!(missing_spans = self.lost(), "spans are sent again"),
            _ => {}
        }
    }
}

/// A batch processor that counts what it is given.
#[derive(Debug)]
pub(crate) struct Counted {
    batch: BatchSpanProcessor,
    tally: Arc<Tally>,
}

impl SpanProcessor for Counted {
    fn on_start(&self, span: &mut Span, context: &Context) {
        self.batch.on_start(span, context);
    }

    fn on_end(&self, span: SpanData) {
        self.tally.ended.fetch_add(1, Ordering::Relaxed);
        self.batch.on_end(span);
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.batch.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.batch.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.batch.set_resource(resource);
    }
}

/// An exporter that counts what arrives.
#[derive(Debug)]
struct CountedExporter<E> {
    exporter: E,
    tally: Arc<Tally>,
}

impl<E: SpanExporter> SpanExporter for CountedExporter<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let spans = batch.len();
        let result = self.exporter.export(batch).await;
        self.tally.record(spans, &result);
        result
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.exporter.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}

/// One line per span on standard output.
#[derive(Debug)]
struct Stdout;

impl SpanExporter for Stdout {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        for span in batch {
            let micros = span.end_time.duration_since(span.start_time).map_or(0, |duration| duration.as_micros());
            println!(
                "span {} {} parent={} {:?} {} {micros}us {:?}",
                span.span_context.trace_id(),
                span.span_context.span_id(),
                span.parent_span_id,
                span.span_kind,
                span.name,
                span.status,
            );
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
