//! The gRPC surface: every method hands over to its function in `rpc/`.

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

    async fn save_report(
        &self,
        request: Request<pb::SaveReportRequest>,
    ) -> Result<Response<pb::SaveReportResponse>, Status> {
        respond(rpc::save_report(&self.db, request.into_inner()).await)
    }

    async fn get_report(
        &self,
        request: Request<pb::GetReportRequest>,
    ) -> Result<Response<pb::GetReportResponse>, Status> {
        respond(rpc::get_report(&self.db, &request.into_inner()).await)
    }

    async fn get_project(
        &self,
        request: Request<pb::GetProjectRequest>,
    ) -> Result<Response<pb::GetProjectResponse>, Status> {
        respond(rpc::get_project(&self.db, &request.into_inner()).await)
    }

    async fn claim_notification(
        &self,
        request: Request<pb::ClaimNotificationRequest>,
    ) -> Result<Response<pb::ClaimNotificationResponse>, Status> {
        respond(rpc::claim_notification(&self.db, &request.into_inner()).await)
    }

    async fn list_due_notifications(
        &self,
        request: Request<pb::ListDueNotificationsRequest>,
    ) -> Result<Response<pb::ListDueNotificationsResponse>, Status> {
        respond(rpc::list_due_notifications(&self.db, &request.into_inner()).await)
    }

    async fn record_delivery(
        &self,
        request: Request<pb::RecordDeliveryRequest>,
    ) -> Result<Response<pb::RecordDeliveryResponse>, Status> {
        respond(rpc::record_delivery(&self.db, &request.into_inner()).await)
    }
}
