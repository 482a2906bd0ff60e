use futures_util::future::join_all;
use service_kit::grpc::Upstream;
use service_kit::health::HealthClient;
use service_kit::mesh::Mesh;

/// Health clients of the services that the gateway depends on, by name.
#[derive(Debug, Clone)]
pub(crate) struct Peers([(&'static str, HealthClient); 3]);

impl Peers {
    pub(crate) fn new(user: &Upstream, epro: &Upstream, data: &Upstream, mesh: &Mesh) -> anyhow::Result<Self> {
        let client = |name, upstream: &Upstream| anyhow::Ok((name, upstream.health(name, mesh)?));
        Ok(Self([client("user-svc", user)?, client("epro-svc", epro)?, client("data-svc", data)?]))
    }

    /// Whether each service reports that it is ready.
    pub(crate) async fn health(&self) -> Vec<(&'static str, bool)> {
        join_all(self.0.iter().map(async |(name, client)| (*name, client.is_serving().await))).await
    }
}
