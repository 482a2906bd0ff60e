use futures_util::future::join_all;
use service_kit::grpc::Upstream;
use service_kit::health::HealthClient;

/// The services without which the gateway can answer nothing, by name.
#[derive(Debug, Clone)]
pub(crate) struct Peers([(&'static str, HealthClient); 3]);

impl Peers {
    pub(crate) fn new(user: &Upstream, epro: &Upstream, data: &Upstream) -> anyhow::Result<Self> {
        Ok(Self([("user-svc", user.health()?), ("epro-svc", epro.health()?), ("data-svc", data.health()?)]))
    }

    /// Which of them say that they are ready.
    pub(crate) async fn health(&self) -> Vec<(&'static str, bool)> {
        join_all(self.0.iter().map(async |(name, client)| (*name, client.is_serving().await))).await
    }
}
