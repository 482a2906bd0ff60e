//! The gRPC surface. Every method only delegates to its function in `rpc/`.

use std::sync::Arc;

use proto::user as pb;
use proto::user::user_service_server::UserService;
use service_kit::respond;
use telemetry::postgres::Db;
use tonic::{Request, Response, Status};

use crate::identity::{AccessTokens, Pins, Seed, Sessions};
use crate::rpc;

#[derive(Debug)]
pub(crate) struct Grpc {
    pub(crate) db: Db,
    pub(crate) pins: Arc<Pins>,
    pub(crate) tokens: Arc<AccessTokens>,
    pub(crate) sessions: Sessions,
}

#[tonic::async_trait]
impl UserService for Grpc {
    async fn activate(&self, request: Request<pb::ActivateRequest>) -> Result<Response<pb::ActivateResponse>, Status> {
        respond(rpc::activate(&self.db, &self.pins, request.into_inner()).await)
    }

    async fn create_session(
        &self,
        request: Request<pb::CreateSessionRequest>,
    ) -> Result<Response<pb::CreateSessionResponse>, Status> {
        let request = request.into_inner();
        let created = async {
            let seed = Seed::random()?;
            rpc::create_session(&self.db, &self.pins, &self.tokens, &self.sessions, request, &seed).await
        };
        respond(created.await)
    }

    async fn refresh_session(
        &self,
        request: Request<pb::RefreshSessionRequest>,
    ) -> Result<Response<pb::RefreshSessionResponse>, Status> {
        let refreshed = async {
            let seed = Seed::random()?;
            rpc::refresh_session(&self.db, &self.tokens, &self.sessions, &request.into_inner(), &seed).await
        };
        respond(refreshed.await)
    }

    async fn end_session(
        &self,
        request: Request<pb::EndSessionRequest>,
    ) -> Result<Response<pb::EndSessionResponse>, Status> {
        respond(rpc::end_session(&self.db, &self.tokens, &request.into_inner()).await)
    }

    async fn authenticate(
        &self,
        request: Request<pb::AuthenticateRequest>,
    ) -> Result<Response<pb::AuthenticateResponse>, Status> {
        respond(rpc::authenticate(&self.db, &self.tokens, &request.into_inner()).await)
    }

    async fn list_security_events(
        &self,
        request: Request<pb::ListSecurityEventsRequest>,
    ) -> Result<Response<pb::ListSecurityEventsResponse>, Status> {
        respond(rpc::list_security_events(&self.db, &request.into_inner()).await)
    }

    async fn free_login(
        &self,
        request: Request<pb::FreeLoginRequest>,
    ) -> Result<Response<pb::FreeLoginResponse>, Status> {
        respond(rpc::free_login(&self.db, &request.into_inner()).await)
    }

    async fn list_site_contacts(
        &self,
        request: Request<pb::ListSiteContactsRequest>,
    ) -> Result<Response<pb::ListSiteContactsResponse>, Status> {
        respond(rpc::list_site_contacts(&self.db, &request.into_inner()).await)
    }
}
