//! OTLP's trace service over gRPC. A callback receives the spans.

use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{TraceService, TraceServiceServer};
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};

/// The largest export request, in bytes.
pub(super) const MAX_REQUEST: usize = 64 * 1024 * 1024;

/// A service that hands every request to `take` and answers that all spans were accepted.
pub fn trace_service<F: Fn(ExportTraceServiceRequest) + Send + Sync + 'static>(
    take: F,
) -> TraceServiceServer<impl TraceService> {
    TraceServiceServer::new(Taking(take)).max_decoding_message_size(MAX_REQUEST)
}

struct Taking<F>(F);

#[tonic::async_trait]
impl<F: Fn(ExportTraceServiceRequest) + Send + Sync + 'static> TraceService for Taking<F> {
    async fn export(
        &self,
        request: tonic::Request<ExportTraceServiceRequest>,
    ) -> Result<tonic::Response<ExportTraceServiceResponse>, tonic::Status> {
        (self.0)(request.into_inner());
        Ok(tonic::Response::new(ExportTraceServiceResponse::default()))
    }
}
