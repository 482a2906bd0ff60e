use proto::user as pb;
use proto::user::user_service_client::UserServiceClient;
use service_kit::error::CallError;
use service_kit::grpc::UpstreamChannel;

/// user-svc.
#[derive(Debug, Clone)]
pub(crate) struct User(UserServiceClient<UpstreamChannel>);

impl User {
    pub(crate) fn new(channel: UpstreamChannel) -> Self {
        Self(UserServiceClient::new(channel))
    }

    /// The active nurses of a site, with their addresses.
    pub(crate) async fn list_site_contacts(&self, site_id: &str) -> Result<Vec<pb::Contact>, CallError> {
        let request = pb::ListSiteContactsRequest { site_id: site_id.to_owned() };
        Ok(self.0.clone().list_site_contacts(request).await?.into_inner().contacts)
    }
}
