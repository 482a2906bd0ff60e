use proto::CallError;
use proto::user as pb;
use proto::user::user_service_client::UserServiceClient;
use service_kit::deadline::Channel;

/// user-svc.
#[derive(Debug, Clone)]
pub(crate) struct User(UserServiceClient<Channel>);

impl User {
    pub(crate) fn new(channel: Channel) -> Self {
        Self(UserServiceClient::new(channel))
    }

    pub(crate) async fn create_session(
        &self,
        request: pb::CreateSessionRequest,
    ) -> Result<pb::CreateSessionResponse, CallError> {
        Ok(self.0.clone().create_session(request).await?.into_inner())
    }

    pub(crate) async fn authenticate(&self, access_token: String) -> Result<Option<pb::Principal>, CallError> {
        let request = pb::AuthenticateRequest { access_token };
        Ok(self.0.clone().authenticate(request).await?.into_inner().principal)
    }
}
