use proto::data as pb;
use proto::data::data_service_client::DataServiceClient;
use proto::domain::Principal;
use service_kit::error::CallError;
use service_kit::grpc::UpstreamChannel;

/// data-svc.
#[derive(Debug, Clone)]
pub(crate) struct Data(DataServiceClient<UpstreamChannel>);

impl Data {
    pub(crate) fn new(channel: UpstreamChannel) -> Self {
        Self(DataServiceClient::new(channel))
    }

    pub(crate) async fn get_assignment(
        &self,
        request: pb::GetAssignmentRequest,
    ) -> Result<pb::GetAssignmentResponse, CallError> {
        Ok(self.0.clone().get_assignment(request).await?.into_inner())
    }

    pub(crate) async fn save_report(
        &self,
        request: pb::SaveReportRequest,
    ) -> Result<pb::SaveReportResponse, CallError> {
        Ok(self.0.clone().save_report(request).await?.into_inner())
    }

    pub(crate) async fn get_report(
        &self,
        principal: &Principal,
        report_id: String,
    ) -> Result<pb::GetReportResponse, CallError> {
        let request = pb::GetReportRequest { viewer: Some(service_kit::viewer(principal.clone())), report_id };
        Ok(self.0.clone().get_report(request).await?.into_inner())
    }

    pub(crate) async fn save_amendment(
        &self,
        request: pb::SaveAmendmentRequest,
    ) -> Result<pb::SaveAmendmentResponse, CallError> {
        Ok(self.0.clone().save_amendment(request).await?.into_inner())
    }

    pub(crate) async fn save_review(
        &self,
        request: pb::SaveReviewRequest,
    ) -> Result<pb::SaveReviewResponse, CallError> {
        Ok(self.0.clone().save_review(request).await?.into_inner())
    }

    pub(crate) async fn resend_notification(
        &self,
        principal: &Principal,
        notification_id: String,
    ) -> Result<pb::ResendNotificationResponse, CallError> {
        let viewer = Some(service_kit::viewer(principal.clone()));
        let request = pb::ResendNotificationRequest { viewer, notification_id };
        Ok(self.0.clone().resend_notification(request).await?.into_inner())
    }
}
