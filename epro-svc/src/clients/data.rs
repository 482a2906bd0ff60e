use proto::CallError;
use proto::data as pb;
use proto::data::data_service_client::DataServiceClient;
use proto::user::{Principal, Role};
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

    pub(crate) async fn get_report(
        &self,
        principal: &Principal,
        report_id: String,
    ) -> Result<pb::GetReportResponse, CallError> {
        let request = pb::GetReportRequest { viewer: Some(viewer(principal)), report_id };
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
        principal: &Principal,
        report_id: String,
        outcome: proto::report::ReviewOutcome,
    ) -> Result<pb::SaveReviewResponse, CallError> {
        let request = pb::SaveReviewRequest { viewer: Some(viewer(principal)), report_id, outcome: outcome.into() };
        Ok(self.0.clone().save_review(request).await?.into_inner())
    }
}

/// A nurse sees her sites, a patient what is their own.
fn viewer(principal: &Principal) -> pb::Viewer {
    let site_ids = match principal.role() {
        Role::Nurse => principal.sites.iter().map(|site| site.site_id.clone()).collect(),
        Role::Patient | Role::Unspecified => vec![],
    };
    pb::Viewer { person_id: principal.person_id.clone(), site_ids }
}
