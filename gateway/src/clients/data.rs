use proto::CallError;
use proto::data as pb;
use proto::data::data_service_client::DataServiceClient;
use proto::user::{Principal, Role};
use service_kit::deadline::Channel;
use uuid::Uuid;

/// data-svc, for reads.
#[derive(Debug, Clone)]
pub(crate) struct Data(DataServiceClient<Channel>);

impl Data {
    pub(crate) fn new(channel: Channel) -> Self {
        Self(DataServiceClient::new(channel))
    }

    pub(crate) async fn get_report(
        &self,
        principal: Principal,
        report_id: Uuid,
    ) -> Result<pb::GetReportResponse, CallError> {
        let request = pb::GetReportRequest { viewer: Some(viewer(principal)), report_id: report_id.to_string() };
        Ok(self.0.clone().get_report(request).await?.into_inner())
    }

    pub(crate) async fn get_project(
        &self,
        principal: Principal,
        project_id: Uuid,
    ) -> Result<pb::GetProjectResponse, CallError> {
        let request = pb::GetProjectRequest { viewer: Some(viewer(principal)), project_id: project_id.to_string() };
        Ok(self.0.clone().get_project(request).await?.into_inner())
    }
}

/// A nurse sees her sites, a patient what is their own.
fn viewer(principal: Principal) -> pb::Viewer {
    let site_ids = match principal.role() {
        Role::Nurse => principal.sites.into_iter().map(|site| site.site_id).collect(),
        Role::Patient | Role::Unspecified => vec![],
    };
    pb::Viewer { person_id: principal.person_id, site_ids }
}
