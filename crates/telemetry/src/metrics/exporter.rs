use std::io;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::metrics::Temporality;
use opentelemetry_sdk::metrics::data::ResourceMetrics;
use opentelemetry_sdk::metrics::exporter::PushMetricExporter;
use prost::Message;
use tokio::runtime::{Builder, Runtime};

use crate::config::settings::{self, MetricExport};
use crate::export::{Failure, Sender};

/// The RPC that takes metrics.
const METHOD: &str = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export";

/// Sends metrics on a runtime of its own, which the reader's thread drives.
#[derive(Debug)]
pub(super) struct Exporter {
    runtime: Option<Runtime>,
    sender: Sender,
    temporality: Temporality,
    failing: Mutex<bool>,
}

impl Exporter {
    pub(super) fn new(export: &MetricExport) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let sender = {
            let _inside = runtime.enter();
            Sender::new(&export.otlp, METHOD)
        };
        let temporality = match export.temporality {
            settings::Temporality::Cumulative => Temporality::Cumulative,
            settings::Temporality::Delta => Temporality::Delta,
            settings::Temporality::LowMemory => Temporality::LowMemory,
        };
        Ok(Self { runtime: Some(runtime), sender, temporality, failing: Mutex::new(false) })
    }

    /// Logs where an outage of the receiver begins and ends.
    fn note(&self, result: &Result<Bytes, Failure>) {
        let failed = result.is_err();
        let has_failed = std::mem::replace(&mut *self.failing.lock().unwrap_or_else(PoisonError::into_inner), failed);
        match result {
            Err(failure) if !has_failed => tracing::warn!(error = failure.message, "metrics cannot be sent"),
            Ok(_) if has_failed => tracing::info!("metrics are sent again"),
            _ => {}
        }
    }
}

impl PushMetricExporter for Exporter {
    async fn export(&self, metrics: &ResourceMetrics) -> OTelSdkResult {
        let Some(runtime) = &self.runtime else { return Err(OTelSdkError::AlreadyShutdown) };
        let request = ExportMetricsServiceRequest::from(metrics).encode_to_vec();
        let result = runtime.block_on(self.sender.send(request.into(), std::future::pending()));
        self.note(&result);
        result.map(drop).map_err(|failure| OTelSdkError::InternalFailure(failure.message))
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }

    fn temporality(&self) -> Temporality {
        self.temporality
    }
}

/// The last owner may be a thread of another runtime, which must not wait for this one.
impl Drop for Exporter {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
