use proto::data as pb;
use proto::data::data_service_client::DataServiceClient;
use proto::domain::Principal;
use service_kit::error::CallError;
use service_kit::grpc::UpstreamChannel;
use uuid::Uuid;

use crate::extract::{EventPage, Languages, Page};

/// data-svc, for reads.
#[derive(Debug, Clone)]
pub(crate) struct Data(DataServiceClient<UpstreamChannel>);

impl Data {
    pub(crate) fn new(channel: UpstreamChannel) -> Self {
        Self(DataServiceClient::new(channel))
    }

    pub(crate) async fn list_assignments(
        &self,
        patient: Principal,
        languages: Languages,
    ) -> Result<Vec<pb::Assignment>, CallError> {
        let request = pb::ListAssignmentsRequest { person_id: patient.person_id, languages: languages.0 };
        Ok(self.0.clone().list_assignments(request).await?.into_inner().assignments)
    }

    pub(crate) async fn get_questionnaire(
        &self,
        questionnaire_id: String,
        version: String,
        languages: Languages,
    ) -> Result<pb::GetQuestionnaireResponse, CallError> {
        let request = pb::GetQuestionnaireRequest { questionnaire_id, version, languages: languages.0 };
        Ok(self.0.clone().get_questionnaire(request).await?.into_inner())
    }

    pub(crate) async fn get_report(
        &self,
        principal: Principal,
        report_id: Uuid,
    ) -> Result<pb::GetReportResponse, CallError> {
        let request =
            pb::GetReportRequest { viewer: Some(service_kit::viewer(principal)), report_id: report_id.to_string() };
        Ok(self.0.clone().get_report(request).await?.into_inner())
    }

    /// The principal's own reports, newest first.
    pub(crate) async fn list_own_reports(
        &self,
        principal: Principal,
        page: Page,
        languages: Languages,
    ) -> Result<pb::ListReportsResponse, CallError> {
        self.list_reports(principal, None, pb::ReviewFilter::Unspecified, page, languages).await
    }

    /// The reports of a site, newest first.
    pub(crate) async fn list_site_reports(
        &self,
        principal: Principal,
        site_id: Uuid,
        review: pb::ReviewFilter,
        page: Page,
        languages: Languages,
    ) -> Result<pb::ListReportsResponse, CallError> {
        self.list_reports(principal, Some(site_id.to_string()), review, page, languages).await
    }

    async fn list_reports(
        &self,
        principal: Principal,
        site_id: Option<String>,
        review: pb::ReviewFilter,
        page: Page,
        languages: Languages,
    ) -> Result<pb::ListReportsResponse, CallError> {
        let request = pb::ListReportsRequest {
            viewer: Some(service_kit::viewer(principal)),
            site_id,
            review: review.into(),
            limit: page.limit,
            after: page.after.map(|cursor| cursor.0),
            languages: languages.0,
        };
        Ok(self.0.clone().list_reports(request).await?.into_inner())
    }

    /// The reports, with their answers, that a search asks for.
    pub(crate) async fn search_reports(
        &self,
        request: pb::SearchReportsRequest,
    ) -> Result<pb::SearchReportsResponse, CallError> {
        Ok(self.0.clone().search_reports(request).await?.into_inner())
    }

    /// The undelivered notifications of a site that are in `state`, newest first.
    pub(crate) async fn list_notifications(
        &self,
        principal: Principal,
        site_id: Uuid,
        state: pb::NotificationState,
        page: Page,
    ) -> Result<pb::ListNotificationsResponse, CallError> {
        let request = pb::ListNotificationsRequest {
            viewer: Some(service_kit::viewer(principal)),
            site_id: site_id.to_string(),
            state: state.into(),
            limit: page.limit,
            after: page.after.map(|cursor| cursor.0),
        };
        Ok(self.0.clone().list_notifications(request).await?.into_inner())
    }

    /// The reports of a study that no nurse of their site has been notified of yet, newest first.
    pub(crate) async fn list_unnotified_reports(
        &self,
        principal: Principal,
        study_id: Uuid,
        page: Page,
    ) -> Result<pb::ListUnnotifiedReportsResponse, CallError> {
        let request = pb::ListUnnotifiedReportsRequest {
            viewer: Some(service_kit::viewer(principal)),
            study_id: study_id.to_string(),
            limit: page.limit,
            after: page.after.map(|cursor| cursor.0),
        };
        Ok(self.0.clone().list_unnotified_reports(request).await?.into_inner())
    }

    /// The audit events of a report, oldest first.
    pub(crate) async fn list_audit_events(
        &self,
        principal: Principal,
        report_id: Uuid,
        page: EventPage,
    ) -> Result<pb::ListAuditEventsResponse, CallError> {
        let request = pb::ListAuditEventsRequest {
            viewer: Some(service_kit::viewer(principal)),
            report_id: report_id.to_string(),
            after_seq: page.after.map(|cursor| cursor.0),
            limit: page.limit,
        };
        Ok(self.0.clone().list_audit_events(request).await?.into_inner())
    }

    /// The sites where a nurse works.
    pub(crate) async fn list_sites(&self, nurse: Principal) -> Result<Vec<pb::Site>, CallError> {
        let request = pb::ListSitesRequest { viewer: Some(service_kit::viewer(nurse)) };
        Ok(self.0.clone().list_sites(request).await?.into_inner().sites)
    }

    pub(crate) async fn get_study(
        &self,
        principal: Principal,
        study_id: Uuid,
    ) -> Result<pb::GetStudyResponse, CallError> {
        let request =
            pb::GetStudyRequest { viewer: Some(service_kit::viewer(principal)), study_id: study_id.to_string() };
        Ok(self.0.clone().get_study(request).await?.into_inner())
    }
}
