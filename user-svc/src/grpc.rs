//! The gRPC surface: every method hands over to its function in `rpc/`.

use std::sync::Arc;
use std::time::Duration;

use proto::user as pb;
use proto::user::user_service_server::UserService;
use service_kit::respond;
use telemetry::postgres::Db;
use tonic::{Request, Response, Status};

use crate::identity::{AccessTokens, Pins};
use crate::rpc;

#[derive(Debug)]
pub(crate) struct Grpc {
    pub(crate) db: Db,
    pub(crate) pins: Arc<Pins>,
    pub(crate) tokens: Arc<AccessTokens>,
    pub(crate) session_lifetime: Duration,
}

#[tonic::async_trait]
impl UserService for Grpc {
    async fn create_session(
        &self,
        request: Request<pb::CreateSessionRequest>,
    ) -> Result<Response<pb::CreateSessionResponse>, Status> {
        let request = request.into_inner();
        respond(rpc::create_session(&self.db, &self.pins, &self.tokens, self.session_lifetime, request).await)
    }

    async fn authenticate(
        &self,
        request: Request<pb::AuthenticateRequest>,
    ) -> Result<Response<pb::AuthenticateResponse>, Status> {
        respond(rpc::authenticate(&self.db, &self.tokens, &request.into_inner()).await)
    }

    async fn list_site_contacts(
        &self,
        request: Request<pb::ListSiteContactsRequest>,
    ) -> Result<Response<pb::ListSiteContactsResponse>, Status> {
        respond(rpc::list_site_contacts(&self.db, &request.into_inner()).await)
    }
}
