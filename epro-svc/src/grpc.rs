//! The gRPC surface: every method calls its function in `rpc/`.

use chrono::Utc;
use proto::report as pb;
use proto::report::report_service_server::ReportService;
use service_kit::respond;
use tonic::{Request, Response, Status};

use crate::clients::{Data, Notify};
use crate::rpc;

#[derive(Debug)]
pub(crate) struct Grpc {
    pub(crate) data: Data,
    pub(crate) notify: Notify,
    pub(crate) max_revisions: u32,
}

#[tonic::async_trait]
impl ReportService for Grpc {
    async fn submit_report(
        &self,
        request: Request<pb::SubmitReportRequest>,
    ) -> Result<Response<pb::SubmitReportResponse>, Status> {
        respond(rpc::submit_report(&self.data, &self.notify, Utc::now(), request.into_inner()).await)
    }

    async fn amend_report(
        &self,
        request: Request<pb::AmendReportRequest>,
    ) -> Result<Response<pb::AmendReportResponse>, Status> {
        respond(rpc::amend_report(&self.data, &self.notify, self.max_revisions, request.into_inner()).await)
    }

    async fn review_report(
        &self,
        request: Request<pb::ReviewReportRequest>,
    ) -> Result<Response<pb::ReviewReportResponse>, Status> {
        respond(rpc::review_report(&self.data, request.into_inner()).await)
    }

    async fn resend_notification(
        &self,
        request: Request<pb::ResendNotificationRequest>,
    ) -> Result<Response<pb::ResendNotificationResponse>, Status> {
        respond(rpc::resend_notification(&self.data, request.into_inner()).await)
    }
}
