use proto::CallError;
use proto::data as pb;
use proto::data::data_service_client::DataServiceClient;
use service_kit::deadline::Channel;

/// data-svc.
#[derive(Debug, Clone)]
pub(crate) struct Data(DataServiceClient<Channel>);

impl Data {
    pub(crate) fn new(channel: Channel) -> Self {
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
}
