use proto::report as pb;
use proto::report::report_service_client::ReportServiceClient;
use service_kit::error::CallError;
use service_kit::grpc::UpstreamChannel;

/// epro-svc.
#[derive(Debug, Clone)]
pub(crate) struct Report(ReportServiceClient<UpstreamChannel>);

impl Report {
    pub(crate) fn new(channel: UpstreamChannel) -> Self {
        Self(ReportServiceClient::new(channel))
    }

    pub(crate) async fn submit(&self, request: pb::SubmitReportRequest) -> Result<pb::SubmitReportResponse, CallError> {
        Ok(self.0.clone().submit_report(request).await?.into_inner())
    }

    pub(crate) async fn amend(&self, request: pb::AmendReportRequest) -> Result<pb::AmendReportResponse, CallError> {
        Ok(self.0.clone().amend_report(request).await?.into_inner())
    }

    pub(crate) async fn review(&self, request: pb::ReviewReportRequest) -> Result<pb::ReviewReportResponse, CallError> {
        Ok(self.0.clone().review_report(request).await?.into_inner())
    }

    pub(crate) async fn resend_notification(&self, request: pb::ResendNotificationRequest) -> Result<(), CallError> {
        self.0.clone().resend_notification(request).await?;
        Ok(())
    }
}
