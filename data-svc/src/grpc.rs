//! The gRPC surface: every method calls its function in `rpc/`.

use proto::data as pb;
use proto::data::data_service_server::DataService;
use service_kit::respond;
use telemetry::postgres::Db;
use tonic::{Request, Response, Status};

use crate::rpc;

#[derive(Debug)]
pub(crate) struct Grpc {
    db: Db,
}

impl Grpc {
    pub(crate) fn new(db: Db) -> Self {
        Self { db }
    }
}

#[tonic::async_trait]
impl DataService for Grpc {
    async fn get_assignment(
        &self,
        request: Request<pb::GetAssignmentRequest>,
    ) -> Result<Response<pb::GetAssignmentResponse>, Status> {
        respond(rpc::get_assignment(&self.db, &request.into_inner()).await)
    }

    async fn list_assignments(
        &self,
        request: Request<pb::ListAssignmentsRequest>,
    ) -> Result<Response<pb::ListAssignmentsResponse>, Status> {
        respond(rpc::list_assignments(&self.db, &request.into_inner()).await)
    }

    async fn get_questionnaire(
        &self,
        request: Request<pb::GetQuestionnaireRequest>,
    ) -> Result<Response<pb::GetQuestionnaireResponse>, Status> {
        respond(rpc::get_questionnaire(&self.db, &request.into_inner()).await)
    }

    async fn save_report(
        &self,
        request: Request<pb::SaveReportRequest>,
    ) -> Result<Response<pb::SaveReportResponse>, Status> {
        respond(rpc::save_report(&self.db, request.into_inner()).await)
    }

    async fn save_amendment(
        &self,
        request: Request<pb::SaveAmendmentRequest>,
    ) -> Result<Response<pb::SaveAmendmentResponse>, Status> {
        respond(rpc::save_amendment(&self.db, request.into_inner()).await)
    }

    async fn save_review(
        &self,
        request: Request<pb::SaveReviewRequest>,
    ) -> Result<Response<pb::SaveReviewResponse>, Status> {
        respond(rpc::save_review(&self.db, &request.into_inner()).await)
    }

    async fn get_report(
        &self,
        request: Request<pb::GetReportRequest>,
    ) -> Result<Response<pb::GetReportResponse>, Status> {
        respond(rpc::get_report(&self.db, &request.into_inner()).await)
    }

    async fn list_reports(
        &self,
        request: Request<pb::ListReportsRequest>,
    ) -> Result<Response<pb::ListReportsResponse>, Status> {
        respond(rpc::list_reports(&self.db, &request.into_inner()).await)
    }

    async fn search_reports(
        &self,
        request: Request<pb::SearchReportsRequest>,
    ) -> Result<Response<pb::SearchReportsResponse>, Status> {
        respond(rpc::search_reports(&self.db, request.into_inner()).await)
    }

    async fn list_audit_events(
        &self,
        request: Request<pb::ListAuditEventsRequest>,
    ) -> Result<Response<pb::ListAuditEventsResponse>, Status> {
        respond(rpc::list_audit_events(&self.db, &request.into_inner()).await)
    }

    async fn list_sites(
        &self,
        request: Request<pb::ListSitesRequest>,
    ) -> Result<Response<pb::ListSitesResponse>, Status> {
        respond(rpc::list_sites(&self.db, &request.into_inner()).await)
    }

    async fn get_study(&self, request: Request<pb::GetStudyRequest>) -> Result<Response<pb::GetStudyResponse>, Status> {
        respond(rpc::get_study(&self.db, &request.into_inner()).await)
    }

    async fn claim_notification(
        &self,
        request: Request<pb::ClaimNotificationRequest>,
    ) -> Result<Response<pb::ClaimNotificationResponse>, Status> {
        respond(rpc::claim_notification(&self.db, &request.into_inner()).await)
    }

    async fn claim_due_notifications(
        &self,
        request: Request<pb::ClaimDueNotificationsRequest>,
    ) -> Result<Response<pb::ClaimDueNotificationsResponse>, Status> {
        respond(rpc::claim_due_notifications(&self.db, &request.into_inner()).await)
    }

    async fn list_notifications(
        &self,
        request: Request<pb::ListNotificationsRequest>,
    ) -> Result<Response<pb::ListNotificationsResponse>, Status> {
        respond(rpc::list_notifications(&self.db, &request.into_inner()).await)
    }

    async fn resend_notification(
        &self,
        request: Request<pb::ResendNotificationRequest>,
    ) -> Result<Response<pb::ResendNotificationResponse>, Status> {
        respond(rpc::resend_notification(&self.db, &request.into_inner()).await)
    }

    async fn claim_unnotified_reports(
        &self,
        request: Request<pb::ClaimUnnotifiedReportsRequest>,
    ) -> Result<Response<pb::ClaimUnnotifiedReportsResponse>, Status> {
        respond(rpc::claim_unnotified_reports(&self.db, &request.into_inner()).await)
    }

    async fn escalate_report(
        &self,
        request: Request<pb::EscalateReportRequest>,
    ) -> Result<Response<pb::EscalateReportResponse>, Status> {
        respond(rpc::escalate_report(&self.db, &request.into_inner()).await)
    }

    async fn list_unnotified_reports(
        &self,
        request: Request<pb::ListUnnotifiedReportsRequest>,
    ) -> Result<Response<pb::ListUnnotifiedReportsResponse>, Status> {
        respond(rpc::list_unnotified_reports(&self.db, &request.into_inner()).await)
    }

    async fn release_notification(
        &self,
        request: Request<pb::ReleaseNotificationRequest>,
    ) -> Result<Response<pb::ReleaseNotificationResponse>, Status> {
        respond(rpc::release_notification(&self.db, &request.into_inner()).await)
    }

    async fn record_delivery(
        &self,
        request: Request<pb::RecordDeliveryRequest>,
    ) -> Result<Response<pb::RecordDeliveryResponse>, Status> {
        respond(rpc::record_delivery(&self.db, &request.into_inner()).await)
    }
}
