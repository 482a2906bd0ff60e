use std::time::Duration;

use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{BatchConfigBuilder, BatchSpanProcessor, SpanData};

use crate::config::{Batcher, Config};
use crate::init::InitError;

/// Spans that wait for export at most. About 1 KiB each, so 32 MiB when the collector is gone; more
/// are dropped and counted. The SDK's own 2,048 loses spans in a burst of a few hundred submissions.
const QUEUE: usize = 32_768;

/// The processor that collects ended spans and sends them in the background, or none.
///
/// Must run inside the runtime: the gRPC exporter binds its connection to it.
pub(crate) async fn processor(config: &Config) -> Result<Option<BatchSpanProcessor>, InitError> {
    Ok(match config.batcher {
        Batcher::None => None,
        Batcher::Stdout => Some(batch(Stdout)),
        Batcher::OtlpGrpc => {
            let exporter = SpanExporter::builder().with_tonic().with_endpoint(&config.endpoint).build()?;
            Some(batch(exporter))
        }
        Batcher::OtlpHttp => {
            let endpoint = format!("{}/v1/traces", config.endpoint.trim_end_matches('/'));
            // The blocking client may not be made on a thread that drives the runtime.
            let build = move || {
                SpanExporter::builder()
                    .with_http()
                    .with_protocol(Protocol::HttpBinary)
                    .with_endpoint(endpoint)
                    .build()
                    .map(batch)
            };
            Some(tokio::task::spawn_blocking(build).await.map_err(|_| InitError::Exporter)??)
        }
    })
}

fn batch(exporter: impl opentelemetry_sdk::trace::SpanExporter + 'static) -> BatchSpanProcessor {
    let mut config = BatchConfigBuilder::default();
    if std::env::var_os("OTEL_BSP_MAX_QUEUE_SIZE").is_none() {
        config = config.with_max_queue_size(QUEUE);
    }
    if std::env::var_os("OTEL_BSP_SCHEDULE_DELAY").is_none() {
        config = config.with_scheduled_delay(Duration::from_secs(1));
    }
    BatchSpanProcessor::builder(exporter).with_batch_config(config.build()).build()
}

/// One line per span on standard output.
#[derive(Debug)]
struct Stdout;

impl opentelemetry_sdk::trace::SpanExporter for Stdout {
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
