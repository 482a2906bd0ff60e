use proto::domain::Principal;
use proto::user as pb;
use proto::user::user_service_client::UserServiceClient;
use service_kit::error::CallError;
use service_kit::grpc::UpstreamChannel;
use uuid::Uuid;

use crate::extract::Page;

/// user-svc.
#[derive(Debug, Clone)]
pub(crate) struct User(UserServiceClient<UpstreamChannel>);

impl User {
    pub(crate) fn new(channel: UpstreamChannel) -> Self {
        Self(UserServiceClient::new(channel))
    }

    pub(crate) async fn activate(&self, request: pb::ActivateRequest) -> Result<pb::ActivateResponse, CallError> {
        Ok(self.0.clone().activate(request).await?.into_inner())
    }

    pub(crate) async fn create_session(
        &self,
        request: pb::CreateSessionRequest,
    ) -> Result<Option<pb::Tokens>, CallError> {
        Ok(self.0.clone().create_session(request).await?.into_inner().tokens)
    }

    pub(crate) async fn refresh_session(&self, refresh_token: String) -> Result<Option<pb::Tokens>, CallError> {
        let request = pb::RefreshSessionRequest { refresh_token };
        Ok(self.0.clone().refresh_session(request).await?.into_inner().tokens)
    }

    pub(crate) async fn end_session(&self, access_token: String) -> Result<(), CallError> {
        self.0.clone().end_session(pb::EndSessionRequest { access_token }).await?;
        Ok(())
    }

    pub(crate) async fn authenticate(&self, access_token: String) -> Result<Option<Principal>, CallError> {
        let request = pb::AuthenticateRequest { access_token };
        Ok(self.0.clone().authenticate(request).await?.into_inner().principal)
    }

    /// The security events of a site, newest first.
    pub(crate) async fn list_security_events(
        &self,
        nurse: Principal,
        site_id: Uuid,
        page: Page,
    ) -> Result<pb::ListSecurityEventsResponse, CallError> {
        let after = page.after.map(|cursor| cursor.0);
        let site_id = site_id.to_string();
        let request = pb::ListSecurityEventsRequest { nurse: Some(nurse), site_id, limit: page.limit, after };
        Ok(self.0.clone().list_security_events(request).await?.into_inner())
    }

    pub(crate) async fn free_login(&self, nurse: Principal, site_id: Uuid, person_id: Uuid) -> Result<(), CallError> {
        let (site_id, person_id) = (site_id.to_string(), person_id.to_string());
        self.0.clone().free_login(pb::FreeLoginRequest { nurse: Some(nurse), site_id, person_id }).await?;
        Ok(())
    }
}
